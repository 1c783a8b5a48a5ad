"""The walls around untrusted code, as far as this machine can build them, and the names of those it cannot.

Linux namespaces come first: no network, no other process, and a file system that holds Python, its packages and an
empty folder in memory, nothing else. Where the system refuses them (in most containers), Landlock leaves the same
files and no TCP. In both a seccomp filter takes away the system calls that reach out or hide memory. None of this needs
root. Elsewhere (macOS) only the limits of `limit` hold.
"""

import contextlib
import ctypes
import os
import platform
import resource
import signal
import struct
import sys
import sysconfig

# What is told of a wall that is missing.
FILES, NETWORK, PROCESSES = (
    "your files can be read and changed",
    "the network is open",
    "other processes can be disturbed",
)
MEMORY = "the memory and number of processes of a whole group are not bounded, only those of each process"
SIGNALS_STAY_INSIDE = 6  # the version of Landlock from which on they do
SCRATCH, SCRATCH_MB = "/scratch", 64  # the one place an answer may write to
LARGEST_FILE = 16 * 2**20

_libc = ctypes.CDLL(None, use_errno=True)


def _must(result: int, step: str) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), f"{step}: {os.strerror(ctypes.get_errno())}")
    return result


# ------------------------------------------------------------------------------------------------ what may be read


def needed() -> list[str]:
    """The files and folders that Python cannot do without: itself, its packages, the system's libraries, segnb."""
    package = os.path.dirname(sys.modules["segnb"].__file__)
    site = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    libraries = ["/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/etc/fonts"]
    python = [sys.prefix, sys.base_prefix, sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")]
    places = dict.fromkeys(os.path.abspath(place) for place in (*libraries, *python, *site, package))
    there = sorted(place for place in places if os.path.exists(place))
    return [p for p in there if not any(p.startswith(f"{other}/") for other in there if other != p)]


# ------------------------------------------------------------------------------------------------ namespaces

NEW_USER, NEW_PID, NEW_NET, NEW_MOUNT, NEW_IPC = 0x10000000, 0x20000000, 0x40000000, 0x20000, 0x08000000
BIND, RECURSIVE, PRIVATE = 0x1000, 0x4000, 0x40000
READ_ONLY, NO_SUID, NO_DEVICES = 1, 2, 4
MOUNT_SETATTR, PIVOT_ROOT = 442, {"x86_64": 155, "aarch64": 41}.get(platform.machine())


def isolate(place: str, hidden: list[str]) -> None:
    """Move this process behind namespaces; its next child is the first process there. OSError if the system refuses.

    place: an empty folder, to become the root of what is seen. hidden: covered, should they lie in something needed.
    """
    if PIVOT_ROOT is None:
        raise OSError("namespaces: not tried on this kind of processor")
    user, group = os.geteuid(), os.getegid()
    _must(_libc.unshare(NEW_USER | NEW_PID | NEW_NET | NEW_MOUNT | NEW_IPC), "unshare")
    for file, text in (
        ("setgroups", "deny"),
        ("uid_map", f"65534 {user} 1"),
        ("gid_map", f"65534 {group} 1"),
    ):
        with open(f"/proc/self/{file}", "w") as handle:
            handle.write(text)
    _mount("none", "/", None, RECURSIVE | PRIVATE)
    _mount("tmpfs", place, "tmpfs", NO_SUID, f"size={SCRATCH_MB}m")
    for source in [*needed(), "/dev/null"]:
        _show(source, place)
    for path in hidden:
        cover = place + path
        if os.path.isdir(cover):
            _mount("tmpfs", cover, "tmpfs", READ_ONLY, "size=4k")
        elif os.path.exists(cover):
            _mount("/dev/null", cover, None, BIND)
    read_only = struct.pack("4Q", READ_ONLY | NO_SUID, 0, 0, 0)  # struct mount_attr
    _must(_libc.syscall(MOUNT_SETATTR, -100, place.encode(), 0x8000, read_only, 32), "read-only files")
    _enter(place)


def _show(source: str, place: str) -> None:
    """Let a file or folder be seen under the same name in the root to come; a link such as /lib stays a link."""
    target = place + source
    os.makedirs(os.path.dirname(target), exist_ok=True)
    if os.path.islink(source) and source.count("/") == 1:
        os.symlink(os.readlink(source), target)
        return
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    else:
        open(target, "x").close()
    _mount(source, target, None, BIND | RECURSIVE)


def _enter(place: str) -> None:
    """Make `place` the root, leave the old one behind, and give the new one a folder to write to."""
    os.chdir(place)
    _must(_libc.syscall(PIVOT_ROOT, b".", b"."), "pivot_root")
    _must(_libc.umount2(b".", 2), "leaving the old root")
    os.chdir("/")
    writable = struct.pack("4Q", 0, READ_ONLY, 0, 0)
    _must(_libc.syscall(MOUNT_SETATTR, -100, b"/", 0, writable, 32), "a root to put a folder into")
    os.mkdir(SCRATCH)
    if not os.path.lexists("/tmp"):  # Python or the course may be installed there
        os.symlink(SCRATCH, "/tmp")
    _mount("tmpfs", SCRATCH, "tmpfs", NO_SUID | NO_DEVICES, f"size={SCRATCH_MB}m,nr_inodes=2k")
    _must(_libc.syscall(MOUNT_SETATTR, -100, b"/", 0, struct.pack("4Q", READ_ONLY, 0, 0, 0), 32), "root")
    os.chdir(SCRATCH)


def _mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    words = [text.encode() if text else None for text in (source, target, kind)]
    _must(_libc.mount(*words, flags, options.encode() if options else None), f"mount {target}")


# ------------------------------------------------------------------------------------------------ Landlock

_EVERY_ACCESS = (1 << 13) - 1  # of its first version; later ones add to it
_READ = 1 << 0 | 1 << 2 | 1 << 3  # execute, read a file, list a folder


def landlock(readable: list[str], writable: str) -> int:
    """Leave this process and its children these files and no TCP. Its version; OSError where there is no Landlock."""
    version = _must(_libc.syscall(444, None, 0, 1), "Landlock")
    files = _EVERY_ACCESS | (version >= 2) << 13 | (version >= 3) << 14 | (version >= 5) << 15
    network, scope = 3 if version >= 4 else 0, 3 if version >= 6 else 0
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    rules = _must(_libc.syscall(444, struct.pack("3Q", files, network, scope), size, 0), "Landlock rules")
    for place, access in [*((path, _READ) for path in readable), ("/dev/null", 6), (writable, files)]:
        handle = os.open(place, os.O_PATH | os.O_CLOEXEC)
        access = access if os.path.isdir(place) else access & 0b111
        rule = struct.pack("=Qi", access & files, handle)
        _must(_libc.syscall(445, rules, 1, rule, 0), f"Landlock rule for {place}")
        os.close(handle)
    _no_new_rights()
    _must(_libc.syscall(446, rules, 0), "Landlock")
    os.close(rules)
    return version


# ------------------------------------------------------------------------------------------------ system calls

# What an answer has no use for: memory that belongs to no process, other processes' memory, sockets, new namespaces.
_X86 = {
    **{"memfd_create": 319, "memfd_secret": 447, "shmget": 29, "msgget": 68, "io_uring_setup": 425},
    **{"ptrace": 101, "process_vm_writev": 311, "process_vm_readv": 310, "userfaultfd": 323, "bpf": 321},
    **{"perf_event_open": 298, "keyctl": 250, "add_key": 248, "request_key": 249, "socket": 41},
    **{"mount": 165, "unshare": 272, "setns": 308, "mq_open": 240},
}
_ARM = {
    **{"memfd_create": 279, "memfd_secret": 447, "shmget": 194, "msgget": 186, "io_uring_setup": 425},
    **{"ptrace": 117, "process_vm_writev": 271, "process_vm_readv": 270, "userfaultfd": 282, "bpf": 280},
    **{"perf_event_open": 241, "keyctl": 219, "add_key": 217, "request_key": 218, "socket": 198},
    **{"mount": 40, "unshare": 97, "setns": 268, "mq_open": 180},
}
_MACHINES = {"x86_64": (0xC000003E, _X86), "aarch64": (0xC00000B7, _ARM)}


def forbid_calls() -> None:
    """Let these system calls fail from now on. OSError where the kernel or the processor is not known to do that."""
    if platform.machine() not in _MACHINES or sys.platform != "linux":
        raise OSError("seccomp: not known on this kind of machine")
    machine, calls = _MACHINES[platform.machine()]
    load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06
    kill, refuse, allow = 0x80000000, 0x00050000 | 1, 0x7FFF0000
    steps = [(load, 0, 0, 4), (equal, 1, 0, machine), (give, 0, 0, kill)]
    steps += [
        (load, 0, 0, 0),
        (at_least, 0, 1, 0x40000000),
        (give, 0, 0, kill),
    ]  # x32: another list of numbers
    for number in calls.values():
        steps += [(equal, 0, 1, number), (give, 0, 0, refuse)]
    steps.append((give, 0, 0, allow))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code))
    _no_new_rights()
    _must(_libc.prctl(22, 2, program, 0, 0), "seccomp")


# ------------------------------------------------------------------------------------------------ rights and limits


def _no_new_rights() -> None:
    _must(_libc.prctl(38, 1, 0, 0, 0), "no new privileges")


def give_up_rights() -> None:
    """Drop every capability that came with the new namespaces, so that the walls cannot be taken down from inside."""
    header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    _no_new_rights()
    _must(_libc.capset(header, nothing), "dropping capabilities")


def end_with_parent() -> None:
    """Nothing outlives the grader (Linux)."""
    if sys.platform == "linux":
        _libc.prctl(1, signal.SIGKILL, 0, 0, 0)


def adopt_orphans() -> None:
    """A process whose parent ends becomes a child of this one (Linux), so that it can be found and ended."""
    if sys.platform == "linux":
        _libc.prctl(36, 1, 0, 0, 0)


def first_to_go() -> None:
    """Should the machine run out of memory all the same, it ends this process and its children before others."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as handle:
        handle.write("1000")


def mapped() -> int:
    """Bytes of address space this process has mapped, most of it torch's; 0 where the system does not say."""
    if sys.platform != "linux":
        return 0
    with open("/proc/self/statm") as handle:
        return int(handle.read().split()[0]) * resource.getpagesize()


def limit(cpu_seconds: int, memory: int) -> None:
    """Of this process: processor time; bytes of address space (if given; Linux); bytes a file; open files; no core dumps."""
    limits = {"CPU": cpu_seconds, "FSIZE": LARGEST_FILE, "CORE": 0, "NOFILE": 128, "MSGQUEUE": 0}
    if memory and sys.platform == "linux":
        limits["AS"] = memory
    for name, most in limits.items():
        if hasattr(resource, f"RLIMIT_{name}"):
            hard = (
                most + 1 if name == "CPU" else most
            )  # first a signal that says why, then one that cannot be ignored
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, hard))
