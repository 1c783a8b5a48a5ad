"""Runs untrusted answers, each in a process of its own behind walls. Started by `segnb.exercises.grading` as a script.

One process imports torch once and then forks for every answer, which costs milliseconds instead of seconds. It reads
one JSON request a line and writes one JSON reply a line. It never holds a right answer's values: those stay with the grader.

Behind the walls (Linux namespaces, no root needed) an answer finds no network, no other process, a file system it may
read but not change, nothing in the folders named `hidden`, an empty environment, and one empty directory of its own.
Limits on processor time, memory and file size hold everywhere.
"""

import contextlib
import ctypes
import importlib
import json
import math
import os
import resource
import select
import signal
import sys
import time

REPLY_BYTES = 32 * 2**20
ALWAYS_HIDDEN = ("/dev", "/proc", "/run")  # nothing an answer needs: devices, other processes, sockets


def isolate(workdir: str, hidden: list[str]) -> None:
    """Move this process behind the walls; its next child is the first process there. OSError if the system refuses."""
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)

    def must(result: int, step: str) -> None:
        if result != 0:
            raise OSError(ctypes.get_errno(), f"{step}: {os.strerror(ctypes.get_errno())}")

    new_user, new_pid, new_net, new_mount, new_ipc = 0x10000000, 0x20000000, 0x40000000, 0x20000, 0x08000000
    must(libc.unshare(new_user | new_pid | new_net | new_mount | new_ipc), "unshare")
    for file, text in (
        ("setgroups", "deny"),
        ("uid_map", f"65534 {user} 1"),
        ("gid_map", f"65534 {group} 1"),
    ):
        with open(f"/proc/self/{file}", "w") as handle:
            handle.write(text)

    recursive_private = 0x4000 | 0x40000
    must(libc.mount(b"none", b"/", None, recursive_private, None), "private mounts")
    read_only = (ctypes.c_uint64 * 4)(1, 0, 0, 0)  # struct mount_attr: set MOUNT_ATTR_RDONLY
    must(
        libc.syscall(442, -100, b"/", 0x8000, read_only, ctypes.sizeof(read_only)),
        "read-only files (mount_setattr)",
    )
    for place in (*hidden, *ALWAYS_HIDDEN):
        if os.path.isfile(place):
            must(libc.mount(b"/dev/null", place.encode(), None, 0x1000, None), f"cover {place}")
        elif os.path.isdir(place):
            must(libc.mount(b"tmpfs", place.encode(), b"tmpfs", 1, b"size=4k"), f"cover {place}")
    must(libc.mount(b"tmpfs", workdir.encode(), b"tmpfs", 0, b"size=64m"), "a directory of its own")


def give_up_rights() -> None:
    """Drop every capability that came with the new namespaces, so that the walls cannot be taken down from inside."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    no_new_privileges = 38
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) or libc.capset(header, nothing):
        raise OSError(ctypes.get_errno(), "cannot drop capabilities")


def limit(cpu_seconds: int, memory: int) -> None:
    """Processor time; bytes of address space (Linux only); 16 MB a file; no core dumps."""
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**24, 2**24))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory:
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def mapped() -> int:
    """Bytes of address space this process has mapped, most of it torch's; 0 where the system does not say."""
    if sys.platform != "linux":
        return 0
    with open("/proc/self/statm") as handle:
        return int(handle.read().split()[0]) * resource.getpagesize()


def answer(request: dict, reply) -> None:
    """Run the answer cell, put the answer to use in every case, and write one line of JSON a case to `reply`."""
    import linecache

    from segnb.exercises import engine

    def note(outcome: dict) -> None:
        reply.write(json.dumps(outcome).encode() + b"\n")
        reply.flush()

    source = request["source"]
    linecache.cache["<answer>"] = (len(source), None, source.splitlines(keepends=True), "<answer>")
    names = prelude()
    for statement in request["imports"]:
        with engine.Attempt():  # one that fails matters only if the answer needs it: a NameError then
            exec(statement, names)
    with engine.Attempt() as attempt:
        exec(compile(source, "<answer>", "exec"), names)
    if attempt.error or request["name"] not in names:
        text = f"the cell does not define {request['name']}"
        missing = {"type": "NameError", "text": text, "line": "", "unwritten": False}
        note({"value": None, "changed": [], "error": attempt.error or missing})
        return
    use = engine.take
    if not request["literal"]:
        helpers = prelude() | vars(importlib.import_module("segnb.exercises.probes"))
        exec(request["use"], helpers)
        use = helpers[request["use_name"]]
    forbidden = tuple(request.get("forbidden", ()))
    for case in request["cases"]:
        inputs = tuple(engine.decode(value) for value in case)
        note(engine.observe(use, names[request["name"]], inputs, forbidden))


def prelude() -> dict:
    """The names every answer cell finds, as in a sheet after its first cells."""
    import numpy
    import torch

    names = {"torch": torch, "nn": torch.nn, "F": torch.nn.functional, "np": numpy, "math": math}
    return names | {"__name__": "answer", "segnb": importlib.import_module("segnb")}


def run_behind_walls(request: dict) -> dict:
    """Fork for one answer and collect its lines until it ends, or its time or its reply runs out."""
    started = time.monotonic()
    deadline = started + request["wall_seconds"]
    read_end, write_end = os.pipe()
    nowhere = os.open(os.devnull, os.O_RDWR)
    before = mapped()
    request["memory"] = before + request["memory_mb"] * 2**20 if before else 0
    if request["walls"]:
        isolate(request["workdir"], request["hidden"])
    child = os.fork()
    if child == 0:
        try:
            be_the_answer(request, write_end, nowhere)
        finally:
            os._exit(1)
    os.close(write_end)
    raw = b""
    while len(raw) < REPLY_BYTES and (left := deadline - time.monotonic()) > 0:
        if not select.select([read_end], [], [], left)[0]:
            break
        part = os.read(read_end, 2**16)
        if not part:
            break
        raw += part
    status, usage = finish(child, deadline)
    late = time.monotonic() >= deadline or usage.ru_utime + usage.ru_stime >= request["cpu_seconds"] - 0.1
    end = "time" if late else "done" if status == 0 else "stopped"
    lines = raw.decode(errors="replace").splitlines()
    return {"lines": lines, "end": end, "seconds": round(time.monotonic() - started, 3)}


def finish(child: int, deadline: float) -> tuple:
    """Wait for the answer's process until the deadline, end it and whatever it started; its status and usage."""
    gone, status, usage = os.wait4(child, os.WNOHANG)
    while not gone and time.monotonic() < deadline:
        time.sleep(0.002)
        gone, status, usage = os.wait4(child, os.WNOHANG)
    if not gone:
        os.kill(child, signal.SIGKILL)  # behind walls the first process takes all others with it
        _, status, usage = os.wait4(child, 0)
    with contextlib.suppress(ProcessLookupError, PermissionError):  # raised where nothing is left to end
        os.killpg(child, signal.SIGKILL)
    return status, usage


def be_the_answer(request: dict, reply: int, nowhere: int) -> None:
    """The forked process itself: limits, no open files but `reply`, no rights; then the answer."""
    os.setsid()
    limit(request["cpu_seconds"], request["memory"])
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    reply = os.dup2(reply, 3, inheritable=False)
    os.closerange(4, 1024)
    os.chdir(request["workdir"])
    os.environ.clear()
    if request["walls"]:
        give_up_rights()
    with os.fdopen(reply, "wb") as lines:
        answer(request, lines)
    os._exit(0)


def main() -> None:
    """Serve requests from standard input until it closes. The first line asks for nothing but imports."""
    sys.path[:] = json.loads(sys.stdin.readline())
    import scipy.ndimage  # noqa: F401 (imported once here, so that every forked answer has them already)
    import torch

    importlib.import_module("segnb")
    torch.set_num_threads(1)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        helper = os.fork()
        if helper == 0:
            try:
                reply = run_behind_walls(json.loads(line))
            except OSError as error:
                reply = {"refused": str(error)}
            print(json.dumps(reply), flush=True)
            os._exit(0)
        if os.waitpid(helper, 0)[1] != 0:
            print(json.dumps({"lines": [], "end": "stopped", "seconds": 0.0}), flush=True)


if __name__ == "__main__":
    main()
