"""What a whole family of processes uses, measured from outside, and its end.

Limits of the system hold for one process each, and some not at all for root. So the family is looked at a few times a
second through /proc; a control group, where one may be made, holds it to the same bounds without a gap.
"""

import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

EVERY = 0.05  # seconds between two looks
MOST_TASKS = 96  # processes and threads; torch alone may start one a core
MEMORY, TASKS, TIME, SPACE = "memory", "processes", "time", "space"


def can_watch() -> bool:
    return sys.platform == "linux" and os.path.isdir("/proc/self/task")


def family(first: int) -> list[int]:
    """A process and all its descendants, as far as they have not ended. Orphans in it belong to the nearest that adopts."""
    found, left = [], [first]
    while left:
        process = left.pop()
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{process}/task"):
                with open(f"/proc/{process}/task/{thread}/children") as handle:
                    left += map(int, handle.read().split())
            found.append(process)
    return found


def usage(process: int) -> tuple[int, int]:
    """Bytes that belong to this process alone or to shared memory it made, and its threads; zeros if it has ended."""
    amounts = {"RssAnon:": 0, "RssShmem:": 0, "Threads:": 0}
    with contextlib.suppress(OSError), open(f"/proc/{process}/status") as handle:
        for line in handle:
            name, *value = line.split()
            if name in amounts:
                amounts[name] = int(value[0])
    return (amounts["RssAnon:"] + amounts["RssShmem:"]) * 1024, amounts["Threads:"]


def end(first: int) -> None:
    """End a process with all its descendants, those too that are born meanwhile."""
    for _ in range(1000):
        members = family(first) if can_watch() else [first]
        with contextlib.suppress(ProcessLookupError):
            os.kill(first, signal.SIGSTOP)  # it shall not make new ones
        for member in reversed(members[1:]):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(member, signal.SIGKILL)
        if len(members) < 2 or all(finished(member) for member in members[1:]):
            break
    with contextlib.suppress(ProcessLookupError):
        os.kill(first, signal.SIGKILL)


def end_children() -> None:
    """End all that is left below this process, orphans that it adopted among them, and ask for their ends."""
    for member in family(os.getpid())[1:] if can_watch() else []:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(member, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)


def finished(process: int) -> bool:
    """Whether a process has ended, though its parent may not have asked for its end yet."""
    try:
        with open(f"/proc/{process}/stat") as handle:
            return handle.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


@dataclass
class Watch:
    """Looks at the family of one process. `broken()` names the first bound that it passed, or is empty."""

    first: int
    memory: int
    until: float  # of time.monotonic()
    scratch: str | None = None  # a folder on disk that they write to, if there is one
    last: float = 0.0

    def broken(self) -> str:
        now = time.monotonic()
        if now >= self.until:
            return TIME
        if now - self.last < EVERY or not can_watch():
            return ""
        self.last = now
        amounts = [usage(process) for process in family(self.first)]
        if sum(size for size, _ in amounts) > self.memory:
            return MEMORY
        if sum(threads for _, threads in amounts) > MOST_TASKS:
            return TASKS
        return SPACE if self.scratch and occupied(self.scratch) > 64 * 2**20 else ""


def occupied(folder: str) -> int:
    """Bytes on disk of what lies in a folder."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(where, name)).st_blocks * 512
    return total


class Group:
    """A control group of its own for the family, where this user may make one; else nothing."""

    def __init__(self, memory: int):
        self.folders: list[Path] = []
        for parent, bounds in _parents(memory):
            folder = parent / f"segnb-grade-{os.getpid()}"
            try:
                folder.mkdir()
                self.folders.append(folder)
                for name, value in bounds.items():
                    (folder / name).write_text(str(value))
            except OSError:
                self.close()
                return

    def take(self, process: int) -> None:
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(process))

    def close(self) -> None:
        """Give the folders back; they can go only when nobody is in them any more."""
        for folder in self.folders:
            for _ in range(50):
                try:
                    folder.rmdir()
                    break
                except OSError:
                    time.sleep(0.01)
        self.folders = []


def _parents(memory: int) -> list[tuple[Path, dict[str, int]]]:
    """Where control groups may be made: of version 2 in one folder, of version 1 in one for each thing it bounds."""
    root, places = Path("/sys/fs/cgroup"), {}
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, names, path = line.split(":", 2)
            places |= dict.fromkeys(names.split(","), path.strip("/"))
    if (root / "cgroup.controllers").is_file():
        return [(root / places.get("", ""), {"memory.max": memory, "pids.max": MOST_TASKS})]
    of_one = {"memory": {"memory.limit_in_bytes": memory}, "pids": {"pids.max": MOST_TASKS}}
    return [(root / name / places[name], bounds) for name, bounds in of_one.items() if name in places]
