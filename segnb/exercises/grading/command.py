"""``segnb grade submissions/ --out grades.csv``: marks a class of untrusted notebooks.

One walled process a person reads their notebooks and runs their answers (`room`); this one hands out the work, writes the
table and never looks into a notebook.
"""

import argparse
import contextlib
import hashlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue

from segnb.exercises.check import registry
from segnb.exercises.grading import class_list, report
from segnb.exercises.grading.class_list import Person, same
from segnb.exercises.grading.marking import private_exercises
from segnb.exercises.grading.table import Table, human, note_twins, summary

WAYS = ("namespaces", "Landlock", "nothing")  # to be kept apart, the best first
TRUST = "--i-trust-this-code"
START_SECONDS, JUDGING_SECONDS = 180, 150
BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from segnb.exercises.grading import room; room.serve()"


class Room:
    """One process that takes a person's notebooks at a time (`room.serve`). It is started again if it is lost."""

    def __init__(self):
        self.process = None

    def start(self) -> None:
        """Begin to start; that takes seconds, and rooms may do it side by side."""
        keep = {key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH") if key in os.environ}
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        path = json.dumps([os.path.abspath(place or os.curdir) for place in sys.path])
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-c", BOOT, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=keep | threads,
            start_new_session=True,  # Ctrl-C is for the grader, which then closes its rooms
        )
        self.ready = False

    def ask(self, request: dict, seconds: float) -> dict | None:
        """What became of a request; None if the room was lost, or its guard, or if it took too long."""
        if self.process is None:
            self.start()
        if not self.ready:
            self.ready = self._line(START_SECONDS) is not None
        reply = None
        if self.ready:
            self.process.stdin.write(json.dumps(request).encode() + b"\n")
            self.process.stdin.flush()
            reply = self._line(seconds)
        if reply is None:
            self.close()
        return None if reply is None or "died" in reply else reply

    def _line(self, seconds: float) -> dict | None:
        raw, until = b"", time.monotonic() + seconds
        while not raw.endswith(b"\n"):
            if not select.select([self.process.stdout], [], [], max(0.0, until - time.monotonic()))[0]:
                return None
            part = os.read(self.process.stdout.fileno(), 2**20)
            if not part:
                return None
            raw += part
        return json.loads(raw)

    def close(self) -> None:
        """End the room with everything in it: its processes die with their parents."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.send_signal(signal.SIGKILL)
            self.process.stdin.close()
            self.process.stdout.close()
            self.process.wait()
            self.process = None


class Grader:
    """Rooms, as many as there are cores, and what every person is graded with."""

    def __init__(self, options: argparse.Namespace, scratch: Path):
        self.options, self.scratch = options, scratch
        self.exercises = private_exercises(options.exercises) if options.exercises else registry
        self.rooms: SimpleQueue[Room] = SimpleQueue()
        self.all_rooms = [Room() for _ in range(options.jobs)]
        for room in self.all_rooms:
            room.start()
            self.rooms.put(room)
        self.walls, self.numbered = "", 0

    def order(self, person: Person, class_: list[Person]) -> dict:
        """The request for one person, as `room.guard` and `marking.mark_person` read it."""
        options = self.options
        self.numbered += 1
        apart = [options.submissions, options.out, options.exercises, options.roster, options.reports]
        settings = {
            "walls": self.walls,
            "place": str(self.scratch / str(self.numbered)),
            "hidden": [str(path.resolve()) for path in apart if path],
            "names": list(self.exercises),
            "memory": options.memory_mb * 2**20,
            "seconds": options.seconds,
            "reading_seconds": max(5, options.seconds // 2),
        }
        return {
            "settings": settings,
            "files": [str(path) for path in person.files],
            "exercises": str(options.exercises) if options.exercises else "",
            "seed": options.seed,
            "cpu_seconds": options.cpu_seconds,
            "aliases": person.names,
            "others": [
                (name, other.label) for other in class_ if other is not person for name in other.names
            ],
        }

    def grade(self, person: Person, class_: list[Person]) -> dict:
        """The result for one person. Whatever goes wrong on the way is a sentence in it."""
        result = {
            "student": person.label,
            "notes": list(person.notes),
            "marks": [],
            "digests": {},
            "signed": [],
        }
        if not person.files:
            return result | {"problems": human(person.problems)}
        room = self.rooms.get()
        try:
            told = room.ask(self.order(person, class_), self.options.seconds + JUDGING_SECONDS)
        finally:
            self.rooms.put(room)
        if told is None:
            told = {
                "problems": [
                    "Grading these notebooks was broken off: they ended the process that reads them."
                ]
            }
        if "refused" in told:
            told = {"problems": [f"The machine refused to run it: {told['refused']}"]}
        problems = human([*person.problems, *told.pop("problems")])
        return result | told | {"problems": problems}

    def find_walls(self) -> tuple[str, list[str]]:
        """Choose the best way in which this machine can keep answers apart: (why the better ones failed, what is missing)."""
        why = []
        for self.walls in WAYS:
            if self.walls != "nothing" and sys.platform != "linux":
                continue
            told = self.all_rooms[0].ask(self.order(Person(["nobody"]), []), START_SECONDS) or {
                "refused": "it failed"
            }
            if "refused" not in told:
                return "; ".join(why), told["missing"]
            why.append(f"{self.walls}: {told['refused']}")
        raise OSError(f"no process could be started to run the answers in ({'; '.join(why)})")

    def close(self) -> None:
        for room in self.all_rooms:
            room.close()


# ------------------------------------------------------------------------------------------------ the command


def arguments(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="segnb grade", description="Grade a folder of exercise notebooks.")
    add = parser.add_argument
    add(
        "submissions",
        type=Path,
        help="a folder with one sub-folder or one file a student, or a zip of such a folder",
    )
    add("--out", type=Path, default=Path("grades.csv"), help="the table to write (grades.csv)")
    add(
        "--reports", type=Path, metavar="FOLDER", help="write a page for each student here, to be handed back"
    )
    add(
        "--roster",
        type=Path,
        metavar="CSV",
        help="the class list: names, ids, e-mail addresses under headings",
    )
    add("--seed", type=int, default=1, help="of the random inputs; segnb.check itself uses 0")
    add(
        "--exercises",
        type=Path,
        metavar="FILE",
        help="a private exercise file to grade with, instead of the book's",
    )
    add("--seconds", type=int, default=60, help="all that one student's notebooks may take (60)")
    add("--cpu-seconds", type=int, default=10, help="processor time an answer may take (10)")
    add("--memory-mb", type=int, default=2048, help="memory an answer may take (2048)")
    add("--jobs", type=int, default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        help="students graded at once (one a core)")  # fmt: skip
    add(TRUST, action="store_true",
        help="run the answers even where this machine cannot be kept apart from them")  # fmt: skip
    return parser.parse_args(argv)


def main(argv: list[str]) -> int:
    """Grade a class; 0 when the table is written, 2 when nothing could be graded (the reason is printed)."""
    sys.stdout.reconfigure(errors="backslashreplace")
    options = arguments(argv)
    if problem := unusable(options):
        print(problem)
        return 2
    scratch = Path(tempfile.mkdtemp(prefix="segnb-grade-"))
    try:
        return grade_class(options, scratch)
    except (ValueError, zipfile.BadZipFile) as problem:
        print(f"segnb grade: {problem}")
        return 2
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def unusable(options: argparse.Namespace) -> str:
    """Why nothing can be graded with these options, in a sentence; empty if something can."""
    if not options.submissions.exists():
        return f"There is no folder {options.submissions}."
    if Path(__file__).resolve().is_relative_to(options.submissions.resolve()):
        return "The answers must not see the folder they lie in, and this one holds segnb itself: use a folder of its own."
    if not hasattr(os, "fork"):
        return "Grading needs Linux or macOS. On Windows run this command inside WSL or a Docker container."
    return ""


def grade_class(options: argparse.Namespace, scratch: Path) -> int:
    grader = Grader(options, scratch)
    try:
        why, missing = grader.find_walls()
        if why:
            print(f"Not the best walls: {why}. Used instead: {grader.walls}.")
        if missing:
            print(f"What this machine cannot wall off from the answers: {'; '.join(missing)}.")
        if grader.walls == "nothing" and not options.i_trust_this_code:
            print(
                "Grade on Linux, or in a container or virtual machine that may be thrown away: docker run --network none "
                "--read-only --memory 2g --user nobody. There, and for code you have read yourself, add --i-trust-this-code."
            )
            return 2
        class_ = people_of(options, scratch)
        table = Table(options.out, settings_of(options))
        results = grade_all(grader, class_, table)
        results = give_to_owners(results, class_)
        note_twins(results)
        table.finish(results)
        if options.reports:
            report.write(options.reports, results, grader.exercises)
            print(f"The reports are in {options.reports}.")
    finally:
        grader.close()
    print(f"The table is in {options.out}.")
    return 0


def people_of(options: argparse.Namespace, scratch: Path) -> list[Person]:
    """The class: what the folder or the zip holds, in the order of the roster if there is one."""
    folder = options.submissions
    inside = list(folder.iterdir()) if folder.is_dir() else []
    archive = (
        folder
        if folder.is_file()
        else inside[0]
        if len(inside) == 1 and inside[0].suffix.lower() == ".zip"
        else None
    )
    if archive and (archive is folder or class_list.is_class(archive)):
        folder = scratch / "class"
        class_list.unpack_class(archive, folder)
    own = (options.out, options.exercises, options.roster, options.reports)
    apart = {path.absolute() for path in own if path}
    apart |= {options.out.absolute().with_name(options.out.name + ending) for ending in (".part", ".new")}
    people = class_list.people(folder, apart)
    return class_list.match(people, class_list.read_roster(options.roster)) if options.roster else people


def settings_of(options: argparse.Namespace) -> dict:
    """What the marks depend on beside the notebooks: a run that was broken off goes on only if it is the same."""
    private = hashlib.sha256(options.exercises.read_bytes()).hexdigest() if options.exercises else ""
    kept = {name: getattr(options, name) for name in ("seed", "seconds", "cpu_seconds", "memory_mb")}
    return kept | {"exercises": private, "roster": str(options.roster)}


def grade_all(grader: Grader, class_: list[Person], table: Table) -> list[dict]:
    """Everybody's result, in the order of the class; those of an earlier run that was broken off are taken over."""
    from tqdm.std import tqdm

    stamps = {id(person): stamp(person) for person in class_}
    todo = [person for person in class_ if stamps[id(person)] not in table.done]
    if len(todo) < len(class_):
        print(f"{len(class_) - len(todo)} of {len(class_)} were graded before; going on with the others.")
    with (
        ThreadPoolExecutor(grader.options.jobs) as pool,
        tqdm(total=len(class_), desc="students", leave=False) as bar,
    ):
        bar.update(len(class_) - len(todo))
        work = {pool.submit(grader.grade, person, class_): person for person in todo}
        try:
            for ready in as_completed(work):
                result = ready.result()
                table.add(stamps[id(work[ready])], result)
                bar.update()
                bar.write(summary(result), file=sys.stdout)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            grader.close()  # whoever is being graded is let go of
            raise
    return [table.done[stamps[id(person)]] for person in class_]


def stamp(person: Person) -> str:
    """Who a person is and which files they handed in: their size, age and names. Another file is another stamp."""
    parts = [*person.names, *person.problems, *person.notes]
    for path in person.files:
        with contextlib.suppress(OSError):
            kind = os.lstat(path)
            parts += [path.name, f"{kind.st_size} {kind.st_mtime_ns}"]
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()


def give_to_owners(results: list[dict], class_: list[Person]) -> list[dict]:
    """Give a file that bears no name to the one in the roster who signed it, if that person handed in nothing else."""
    waiting = {id(result): person for result, person in zip(results, class_) if not person.files}
    for result, person in zip(results, class_):
        signed = [name for name in result["signed"] if name]
        if "not in the roster" not in person.notes or not signed:
            continue
        owners = [one for one in waiting if any(same(signed[-1], name) for name in waiting[one].names)]
        if len(owners) == 1:
            owner = waiting.pop(owners[0])
            result["notes"] = [f"by its signature {signed[-1]!r}; handed in as {result['student']}"]
            result["student"] = owner.label
            results = [one for one in results if id(one) != owners[0]]
    return results
