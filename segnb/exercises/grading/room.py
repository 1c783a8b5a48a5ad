"""Where untrusted notebooks are read and their answers run. `segnb.exercises.grading.command` starts it as a process of its own.

It imports torch once and then forks for every person, which costs milliseconds instead of seconds:

    room      takes one person's files at a time (a JSON line), forks a guard, and hands on what the guard reports
    guard     opens the files, watches from outside, and judges; the only one that knows the right answers
    gate      goes behind the walls and forks the reader
    reader    the first process inside: reads the notebooks, once, and forks for every answer
    answer    runs one answer on the inputs it is given, and writes down in plain values what came of it

Whatever ends a guard ends one person's grading and never the room: that is the `try` around each person.
"""

import contextlib
import gc
import json
import math
import os
import resource
import select
import shutil
import signal
import stat
import sys
import time

from segnb.exercises import engine, probes
from segnb.exercises.check import misfit, unwritten
from segnb.exercises.grading import answers, evidence, marking, unpack, walls, watch

REPLY_BYTES = 32 * 2**20
JUDGING_MEMORY = 6 * 2**30
JUDGING_SECONDS = 120
NAMESPACES, LANDLOCK, NOTHING = "namespaces", "Landlock", "nothing"


# ------------------------------------------------------------------------------------------------ the answer


class Shell:
    """Stands for IPython, as far as an answer may meet it: `%time x = f()` runs `x = f()`, `!date` gives no lines."""

    def __init__(self, names: dict):
        self.names = names

    def run_line_magic(self, magic: str, line: str, **_) -> None:
        if magic in ("time", "timeit", "prun"):
            exec(line, self.names)

    def getoutput(self, *_, **__) -> list:
        return []

    def nothing(self, *_, **__) -> None:
        """What is shown is not looked at, and what `!` would fetch is not there."""

    run_cell_magic = system = nothing


def prelude() -> dict:
    """The names every answer finds, as in a sheet after its first cells."""
    import numpy
    import torch

    import segnb

    names = {
        "torch": torch,
        "nn": torch.nn,
        "F": torch.nn.functional,
        "np": numpy,
        "math": math,
        "segnb": segnb,
    }
    shell = Shell(names)
    names |= {
        "__name__": "__main__",
        "display": shell.nothing,
        "input": lambda *_: "",
        "get_ipython": lambda: shell,
    }
    return names


def answer(request: dict, book: answers.Notebook, found: answers.Found, reply) -> None:
    """Run what the answer needs, put it to use in every case, and write one line of JSON for each to `reply`."""

    def note(outcome: dict) -> None:
        reply.write(json.dumps(outcome).encode() + b"\n")
        reply.flush()

    names, error = prelude(), None
    for cell, statement in book.needs(found)[0]:
        with (
            engine.Attempt() as attempt
        ):  # a line that fails matters only if the answer is not there in the end
            exec(cell.compiled(statement), names)
        error = error or attempt.error
    with engine.Attempt() as attempt:
        value = eval(found.expression, names)
    if attempt.error:
        note({"value": None, "changed": [], "error": error or _not_there(found, attempt.error)})
        return
    wrong_kind = misfit(request["name"], request["literal"], value)
    note({"borrowed": evidence.is_ours(value), "unwritten": unwritten(value), "misfit": wrong_kind})
    if wrong_kind or unwritten(value):
        return
    use = engine.take
    if not request["literal"]:
        helpers = prelude() | {name: getattr(probes, name) for name in probes.__all__}
        exec(request["use"], helpers)
        use = helpers[request["use_name"]]
    for case in request["cases"]:
        inputs = tuple(engine.decode(one) for one in case)
        note(engine.observe(use, value, inputs, tuple(request["forbidden"])))


def _not_there(found: answers.Found, error: dict) -> dict:
    """The error to tell where an answer's own name is not known: why its cell did not run, if that is it."""
    if found.cell.error:
        kind, _, text = found.cell.error.partition(": ")
        return error | {"type": kind, "text": text, "line": ""}
    return (
        error | {"text": f"the cell does not define {found.expression}", "line": ""}
        if error["type"] == "NameError"
        else error
    )


# ------------------------------------------------------------------------------------------------ the reader


class Reader:
    """The first process behind the walls. It runs nothing itself; every answer runs in a child of its own."""

    def __init__(self, settings: dict, files: list[tuple[str, int]]):
        self.settings = settings
        self.books: list[answers.Notebook] = []
        self.files: list[dict] = []
        for name, handle in files:
            with os.fdopen(handle, "rb") as file:
                raw = file.read(unpack.LARGEST_FILE + 1)
            for label, content in unpack.unfold(name, raw):
                self._read(label, content)
            del raw

    def _read(self, label: str, content: bytes | str) -> None:
        try:
            if isinstance(content, str):
                raise unpack.Unreadable(content)
            book = answers.Notebook(unpack.read_cells(label, content))
        except unpack.Unreadable as why:
            self.files.append({"problem": str(why)})
        else:
            self.files.append({"name": label, "book": len(self.books), "signed": book.signed()})
            self.books.append(book)

    def found(self, names: list[str]) -> dict:
        """Exercise → where its answers stand, and what there is to know about them without running them."""
        self.places = {}
        for name in names:
            places = [(book, found) for book in self.books for found in book.answers(name)]
            if places:
                self.places[name] = places
        return {
            name: [
                {"book": self.books.index(book), "how": found.how, **evidence.of_text(book, found)}
                for book, found in places
            ]
            for name, places in self.places.items()
        }

    def attempt(self, request: dict) -> dict:
        """Fork for one answer; collect its lines until it ends, or its time or its room for lines does."""
        started = time.monotonic()
        read_end, write_end = os.pipe()
        book, found = self.places[request["name"]][request["place"]]
        child = os.fork()
        if child == 0:
            try:
                self._become_answer(request, book, found, write_end)
            finally:
                os._exit(1)
        os.close(write_end)
        until = started + request["seconds"]
        raw = b""
        while len(raw) < REPLY_BYTES and (left := until - time.monotonic()) > 0:
            if not select.select([read_end], [], [], left)[0]:
                break
            part = os.read(read_end, 2**16)
            if not part:
                break
            raw += part
        os.close(read_end)
        status, used = self._finish(child, until)
        late = time.monotonic() >= until or used.ru_utime + used.ru_stime >= 0.8 * request["cpu_seconds"]
        late |= os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU
        end = "time" if late else "done" if status == 0 else "stopped"
        lines = raw.decode(errors="replace").splitlines()
        return {"lines": lines, "end": end, "seconds": round(time.monotonic() - started, 3)}

    def _finish(self, child: int, until: float) -> tuple:
        """Wait for an answer until its time is over, then end it and whatever it started; its status and usage."""
        gone, status, used = os.wait4(child, os.WNOHANG)
        while not gone and time.monotonic() < until:
            time.sleep(0.002)
            gone, status, used = os.wait4(child, os.WNOHANG)
        if not gone:
            os.kill(child, signal.SIGKILL)
            _, status, used = os.wait4(child, 0)
        if self.settings["walls"] == NAMESPACES:
            with contextlib.suppress(ProcessLookupError):
                os.kill(-1, signal.SIGKILL)  # everything but this process, and nothing outside
        else:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, 0 if self.settings["walls"] == NAMESPACES else os.WNOHANG)[0]:
                pass
        return status, used

    def _become_answer(self, request: dict, book: answers.Notebook, found: answers.Found, reply: int) -> None:
        """The forked process itself: limits, no open files but `reply`; then the answer."""
        os.setsid()
        reply = os.dup2(reply, 3, inheritable=False)
        os.closerange(4, 1024)
        walls.limit(request["cpu_seconds"], self.settings["space"])
        with os.fdopen(reply, "wb") as lines:
            answer(request, book, found, lines)
        os._exit(0)


def read(settings: dict, files: list[tuple[str, int]], ask: int, reply: int) -> None:
    """Be the reader: build the walls that are left to build, read the files, and serve the guard until it closes."""
    missing = stand_walls(settings)
    os.environ.clear()
    os.environ |= {
        "HOME": os.getcwd(),
        "TMPDIR": os.getcwd(),
        "MPLBACKEND": "Agg",
        "MPLCONFIGDIR": os.getcwd(),
        "SEGNB_DATA": "generated",
    }
    walls.limit(settings["reading_seconds"], settings["space"])
    with os.fdopen(ask, "r") as requests, os.fdopen(reply, "w") as replies:

        def say(words: dict) -> None:
            replies.write(json.dumps(words) + "\n")
            replies.flush()

        gc.disable()  # a million nodes of one cell's tree would be walked again and again
        reader = Reader(settings, files)
        say({"missing": missing, "files": reader.files, "found": reader.found(settings["names"])})
        for line in requests:
            say(reader.attempt(json.loads(line)))
    os._exit(0)


def stand_walls(settings: dict) -> list[str]:
    """Put up what can still be put up from inside, and name what is missing."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    missing = []
    if settings["walls"] == NAMESPACES:
        walls.give_up_rights()
    else:
        os.chdir(settings["place"])
        walls.adopt_orphans()
        if settings["walls"] == NOTHING:
            missing = [walls.FILES, walls.PROCESSES, walls.NETWORK]
        elif walls.landlock(walls.needed(), settings["place"]) < walls.SIGNALS_STAY_INSIDE:
            missing = [walls.PROCESSES]
    try:
        walls.forbid_calls()
        missing = [wall for wall in missing if wall != walls.NETWORK]
    except OSError:
        missing += [walls.NETWORK] if settings["walls"] == LANDLOCK else []
    return missing


# ------------------------------------------------------------------------------------------------ the gate


def gate(settings: dict, files: list[tuple[str, int]], go: int, ask: int, reply: int) -> None:
    """Wait for the word to go, go behind the walls, and fork the reader there."""
    walls.end_with_parent()
    walls.first_to_go()
    os.read(go, 1)
    try:
        if settings["walls"] == NAMESPACES:
            walls.isolate(settings["place"], settings["hidden"])
        child = os.fork()
        if child == 0:
            walls.end_with_parent()
            try:
                read(settings, files, ask, reply)
            finally:
                os._exit(1)
    except OSError as refused:
        os.write(reply, json.dumps({"refused": str(refused)}).encode() + b"\n")
        os._exit(1)
    os.close(reply)
    os._exit(min(1, os.waitpid(child, 0)[1]))


# ------------------------------------------------------------------------------------------------ the guard


WHY = {
    watch.MEMORY: "It took more memory than {memory} MB.",
    watch.TASKS: "It started more than {tasks} processes and threads.",
    watch.TIME: "It took longer than {seconds} s in all.",
    watch.SPACE: "It wrote more than {scratch} MB to disk.",
}


class Link:
    """The guard's end of the two pipes to a reader, with an eye on all that goes on behind the walls."""

    def __init__(self, settings: dict, files: list[tuple[str, int]]):
        # Said now, for behind the walls nobody can tell how much there is already.
        mapped = walls.mapped()
        self.settings = settings = settings | {"space": mapped + settings["memory"] if mapped else 0}
        self.group = watch.Group(settings["memory"] * 2)
        go_read, go = os.pipe()
        ask_read, self.ask_end = os.pipe()
        self.reply_end, reply = os.pipe()
        self.gate = os.fork()
        if self.gate == 0:
            for mine in (go, self.ask_end, self.reply_end):
                os.close(mine)
            try:
                gate(settings, files, go_read, ask_read, reply)
            finally:
                os._exit(1)
        for theirs in (go_read, ask_read, reply, *(handle for _, handle in files)):
            os.close(theirs)
        self.started = time.monotonic()
        scratch = settings["place"] if settings["walls"] != NAMESPACES else None
        # Twice: a reader and an answer share what they had before the fork, and it is counted for both.
        self.watch = watch.Watch(
            self.gate, 2 * settings["memory"], self.started + settings["seconds"], scratch
        )
        with contextlib.suppress(OSError):
            self.group.take(self.gate)
        os.write(go, b"!")
        os.close(go)
        self.raw = b""

    def left(self) -> float:
        """Seconds that this person's notebooks still have, all together."""
        return self.watch.until - time.monotonic()

    def ask(self, request: dict) -> dict:
        with contextlib.suppress(BrokenPipeError):
            write_line(self.ask_end, request)
        return self.reply()

    def reply(self) -> dict:
        """The reader's next line. `marking.Ended` if there is none, or a bound was passed."""
        while b"\n" not in self.raw:
            broken = self.watch.broken()
            if not broken and len(self.raw) > 3 * REPLY_BYTES:
                broken = watch.MEMORY
            if broken:
                raise marking.Ended(self.why(broken))
            if select.select([self.reply_end], [], [], watch.EVERY)[0]:
                part = os.read(self.reply_end, 2**20)
                if not part:
                    raise marking.Ended("Its process ended before it gave a result.")
                self.raw += part
        line, _, self.raw = self.raw.partition(b"\n")
        return json.loads(line)

    def why(self, broken: str) -> str:
        amounts = {
            "memory": self.settings["memory"] >> 20,
            "tasks": watch.MOST_TASKS,
            "scratch": walls.SCRATCH_MB,
        }
        return WHY[broken].format(seconds=self.settings["seconds"], **amounts)

    def close(self) -> None:
        watch.end(self.gate)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.gate, 0)
        watch.end_children()
        self.group.close()


def open_files(paths: list[str]) -> tuple[list[tuple[str, int]], list[str]]:
    """(name, open file) of what may be read, and a sentence for each that may not: links, devices, what is too large."""
    files, problems = [], []
    for path in paths:
        name = os.path.basename(path)
        try:
            kind = os.lstat(path)
            if stat.S_ISLNK(kind.st_mode):
                problems.append(f"{name} is a link, not a file")
            elif not stat.S_ISREG(kind.st_mode):
                problems.append(f"{name} is no file but a device, a pipe or a folder")
            elif kind.st_size > unpack.LARGEST_FILE:
                problems.append(f"{name} is larger than {unpack.LARGEST_FILE // 2**20} MB")
            else:
                files.append((name, os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)))
        except OSError as error:
            problems.append(f"{name} cannot be opened ({error.strerror})")
    return files, problems


def guard(request: dict) -> dict:
    """Have one person's notebooks read and run, and judge what comes back: the answer to one request."""
    walls.end_with_parent()
    walls.adopt_orphans()
    files, problems = open_files(request["files"])
    os.makedirs(request["settings"]["place"], exist_ok=True)
    link = Link(request["settings"], files)
    try:
        before = walls.mapped()
        if before:
            resource.setrlimit(resource.RLIMIT_AS, (before + JUDGING_MEMORY, before + JUDGING_MEMORY))
        resource.setrlimit(resource.RLIMIT_CPU, (JUDGING_SECONDS, JUDGING_SECONDS))
        unseen = [] if watch.can_watch() else [walls.MEMORY]
        return marking.mark_person(request, link, problems, unseen)
    finally:
        link.close()
        shutil.rmtree(request["settings"]["place"], ignore_errors=True)


def write_line(handle: int, words: dict) -> None:
    rest = json.dumps(words).encode() + b"\n"
    while rest:
        rest = rest[os.write(handle, rest) :]


# ------------------------------------------------------------------------------------------------ the room


def serve() -> None:
    """Import everything once, say so, and fork a guard for every line of standard input until it closes."""
    # Here, so that nobody behind the walls has to find them.
    import IPython.core.inputtransformer2  # noqa: F401
    import scipy.ndimage  # noqa: F401
    import torch

    torch.set_num_threads(1)
    write_line(1, {"ready": True})
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            write_line(1, guard(json.loads(line)))
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        if status:
            write_line(1, {"died": status})
