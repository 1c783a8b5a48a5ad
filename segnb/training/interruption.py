"""Ctrl-C, or the notebook's stop button, between two steps and not within one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def between_steps() -> Iterator[list]:
    """Inside, Ctrl-C only fills the list given out: no step is left half done. A second one interrupts."""
    asked = []

    def note(signum, frame):
        if asked:
            raise KeyboardInterrupt
        asked.append(signum)

    # Signals arrive in the main thread only, and a handler that somebody else installed has its reasons.
    ours = threading.current_thread() is threading.main_thread()
    ours = ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if ours:
        signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
