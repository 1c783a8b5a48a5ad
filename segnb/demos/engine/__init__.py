"""A small engine that runs a trained network inside a page: the loops in JavaScript, the innermost one in WebAssembly.

`export.py` turns a module into a program: a list of steps with all their sizes, and one row of weights in float16.
`engine.js` runs programs, `serve.js` answers a page's questions from a Worker. `kernel.ts` (AssemblyScript) is the source
of `kernel.wasm`, the one loop in which the time goes: asc kernel.ts OPTIONS -o kernel.wasm, with npm's COMPILER.
"""

from .export import Weights, program

COMPILER = "assemblyscript@0.28.20"
OPTIONS = ["-O3", "--converge", "--noAssert", "--runtime", "stub", "--enable", "simd", "--importMemory"]

__all__ = ["COMPILER", "OPTIONS", "Weights", "program"]
