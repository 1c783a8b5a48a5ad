"""A small engine that runs a trained network inside a page: the loops in JavaScript, the innermost one in WebAssembly.

`export.py` turns a module into a program: a list of steps with all their sizes, and one row of weights in float16.
`engine.js` runs programs. `kernel.ts` (AssemblyScript) is the source of `kernel.wasm`, the one loop in which the time goes.
"""

from .export import Weights, program

__all__ = ["Weights", "program"]
