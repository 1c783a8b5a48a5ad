"""From what an answer did to points, a hint, and notes for the teacher. Runs in the guard, where the right answers are."""

import importlib.util
import inspect
import json
import sys
import textwrap
from pathlib import Path

from segnb.exercises import engine
from segnb.exercises.check import UNSIGNED, is_placeholder, register, registry, variant
from segnb.exercises.grading.class_list import readable, same

HUMAN = "needs a human"
# What a judge may raise for lines that no answer's process wrote by itself.
NO_RESULT = (
    ValueError,
    TypeError,
    KeyError,
    RuntimeError,
    OverflowError,
    IndexError,
    AttributeError,
    MemoryError,
)
MOST_PLACES = 3  # at which an answer is looked for in one notebook
FEW_SECONDS = 3  # what every later exercise of a sheet keeps, however long the earlier ones take


def private_exercises(path: Path | str) -> dict[str, engine.Exercise]:
    """The EXERCISES of a teacher's own file, written like segnb/exercises/tasks/unet.py."""
    specification = importlib.util.spec_from_file_location("private_exercises", path)
    module = importlib.util.module_from_spec(specification)
    sys.dont_write_bytecode = True  # beside a teacher's file nothing shall appear
    specification.loader.exec_module(module)
    exercises: dict[str, engine.Exercise] = {}
    register(module.EXERCISES, exercises)
    return exercises


def mark_person(request: dict, link, problems: list[str], missing: list[str]) -> dict:
    """Everything about one person: {"marks": [...], "problems": [...], "answers": {exercise: digest}}.

    request: see `command.order`. link: to the process that holds the notebooks (`room.Link`). missing: the walls that are
    known to be missing before it tells of its own.
    """
    exercises = private_exercises(request["exercises"]) if request["exercises"] else registry
    try:
        told = link.reply()
    except Ended as end:
        return {"problems": [*problems, f"These notebooks could not be read. {end}"]}
    if "refused" in told:
        return {"refused": told["refused"]}
    problems += [file["problem"] for file in told["files"] if "problem" in file]
    signed = [file["signed"] for file in told["files"] if "book" in file]
    wanted = exercises_in(told["found"], exercises)
    if not request["files"]:
        problems.append("There is no notebook (.ipynb) here.")
    elif signed and not wanted:
        problems.append("No answer cell of these exercises was found.")
    person = Person(request, link, exercises, signed)
    marks = []
    for later, exercise in zip(range(len(wanted) - 1, -1, -1), wanted):
        link.spare = FEW_SECONDS * later
        marks.append(person.mark(exercise, told["found"].get(exercise.name, [])))
    return {
        "marks": marks,
        "problems": problems,
        "digests": person.digests,
        "signed": signed,
        "missing": told["missing"] + missing,
    }


def exercises_in(found: dict, exercises: dict[str, engine.Exercise]) -> list[engine.Exercise]:
    """All exercises of the chapters that somebody handed something in for; what is missing counts as 0 points.

    A defined name alone shows the chapter only where no cell is marked: a helper may share its name with an exercise.
    """
    marked = {
        name for name, places in found.items() if any(place["how"] != "name" for place in places)
    } or set(found)
    chapters = {exercises[name].reference.__module__ for name in marked}
    return [exercise for exercise in exercises.values() if exercise.reference.__module__ in chapters]


class Ended(Exception):
    """The process that reads and runs is gone, or was ended; the text says why, for a row of the table."""


def number(name: str) -> int:
    """`variant` of a name that may hold anything."""
    return variant(readable(name))


class Person:
    """Marks one person's answers, exercise by exercise."""

    def __init__(self, request: dict, link, exercises: dict[str, engine.Exercise], signed: list[str]):
        self.request, self.link, self.exercises, self.signed = request, link, exercises, signed
        self.seed, self.cpu_seconds = request["seed"], request["cpu_seconds"]
        self.ended = ""
        self.digests: dict[str, str] = {}

    def mark(self, exercise: engine.Exercise, places: list[dict]) -> dict:
        """The best of what stands in a person's notebooks for this exercise, as a dictionary that JSON can hold."""
        most = {"exercise": exercise.name, "max": exercise.points}
        if not places:
            empty = {"points": 0.0, "how": "not found", "hint": "No answer cell was found.", "seconds": 0.0}
            return most | empty | {"notes": [], "passed": []}
        best, seconds = None, 0.0
        for number, place in self._worth_trying(exercise, places):
            mark = self._try(exercise, number, place)
            seconds += mark["seconds"]
            if best is None or mark["points"] > best["points"]:
                best = mark
            if best["points"] == exercise.points or self.ended:
                break
        books = len({place["book"] for place in places})
        best["how"] += f"; best of {books} files" if books > 1 else ""
        return most | best | {"seconds": round(seconds, 3)}

    def _worth_trying(self, exercise: engine.Exercise, places: list[dict]) -> list[tuple[int, dict]]:
        """In each notebook the likeliest places; of a typed value only the first, for a value can be guessed."""
        chosen = []
        for book in dict.fromkeys(place["book"] for place in places):
            of_book = [pair for pair in enumerate(places) if pair[1]["book"] == book]
            chosen += of_book[: 1 if exercise.literal else MOST_PLACES]
        return chosen

    def _try(self, exercise: engine.Exercise, number: int, place: dict) -> dict:
        own = exercise.literal and any(callable(case.inputs) for case in exercise.cases)
        mark = {"points": 0.0, "how": place["how"], "seconds": 0.0, "notes": [], "passed": []}
        if self.ended:
            return mark | {"hint": self.ended}
        try:
            reply = self.link.ask(self._order(exercise, number))
        except Ended as end:
            self.ended = str(end)
            return mark | {"hint": self.ended}
        mark["seconds"] = reply["seconds"]
        try:
            verdict, notes = self._judge(exercise, place, [json.loads(line) for line in reply["lines"]], own)
        except NO_RESULT:
            return mark | {"hint": "Its process sent back something that is no result."}
        hint = verdict.hint or ""
        if not verdict.right and len(reply["lines"]) <= len(exercise.cases) and not hint:
            late = f"It ran for longer than {self.cpu_seconds} s. Is there an endless loop?"
            hint = late if reply["end"] == "time" else "Its process ended before it gave a result."
        points = round(exercise.points * sum(verdict.passed) / len(verdict.passed), 2)
        if verdict.written and place["digest"]:
            self.digests[exercise.name] = place["digest"]
        return mark | {"points": points, "hint": hint, "notes": notes, "passed": list(verdict.passed)}

    def _order(self, exercise: engine.Exercise, number: int) -> dict:
        """What the reader is asked: one answer, the inputs, and how long it may take."""
        inputs = [] if exercise.literal else exercise.inputs(self.seed)
        seconds = min(2 * self.cpu_seconds, self.link.left() - self.link.spare - 1)
        return {
            "name": exercise.name,
            "place": number,
            "literal": exercise.literal,
            "use": textwrap.dedent(inspect.getsource(exercise.use)),
            "use_name": exercise.use.__name__,
            "forbidden": exercise.forbidden,
            "cases": [[engine.encode(value) for value in case] for case in inputs]
            or [[]] * len(exercise.cases),
            "cpu_seconds": self.cpu_seconds,
            "seconds": max(1.0, seconds),
        }

    def _judge(
        self, exercise: engine.Exercise, place: dict, lines: list, own: bool
    ) -> tuple[engine.Verdict, list[str]]:
        """The verdict as `segnb.check` would give it, and what a teacher may want to look at."""
        none_pass = (False,) * len(exercise.cases)
        first = lines[0] if lines else {}
        if first.get("misfit") or first.get("unwritten"):
            told = "not written yet" if first["unwritten"] else str(first["misfit"])
            return engine.Verdict(none_pass, told, written=not first["unwritten"]), []
        notes = self._borrowed(exercise, place, first)
        outcomes = [engine.sound(line) for line in (lines[1:] if "borrowed" in first else lines)]
        if not own:
            return engine.judge(exercise, outcomes, self.seed), notes
        return self._judge_own(exercise, self.signed[place["book"]], outcomes, notes)

    def _judge_own(
        self, exercise, signed: str, outcomes: list, notes: list[str]
    ) -> tuple[engine.Verdict, list[str]]:
        """A value that differs from person to person: right if it belongs to the name that was signed, or to a name in
        the class list that is this person's."""
        mine, others = self.request["aliases"], self.request["others"]
        is_mine = any(same(signed, alias) for alias in mine)
        if not is_mine:
            owner = next((person for name, person in others if same(signed, name)), "")
            notes = [*notes, f"signed {signed!r}" + (f", the name of {owner}" if owner else "")]
        verdict = engine.judge(exercise, outcomes, number(signed))
        if is_placeholder(signed) and verdict.written:
            verdict = engine.Verdict((False,) * len(exercise.cases), UNSIGNED)
        for alias in [] if verdict.right or is_mine or not verdict.written else mine:
            again = engine.judge(exercise, outcomes, number(alias))
            verdict = again if again.right else verdict
        if not verdict.right and verdict.written:
            theirs = [
                person for name, person in others if engine.judge(exercise, outcomes, number(name)).right
            ]
            notes = [*notes, *(f"has the number of {person}" for person in dict.fromkeys(theirs))]
        return verdict, notes

    def _borrowed(self, exercise: engine.Exercise, place: dict, first: dict) -> list[str]:
        notes = []
        ours = {*self.exercises, *registry, "registry"}
        named = [name for name in place["names"] if name.rpartition(".")[2] in ours]
        if named:
            notes.append(f"uses the course's own {', '.join(named)}")
        elif first.get("borrowed") is True:
            notes.append("hands in the course's own function")
        if place["leans"]:
            notes.append(f"leans on {', '.join(place['leans'])} from another cell")
        return notes
