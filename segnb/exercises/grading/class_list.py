"""Who is in the class, and what each handed in: folders and files as Moodle, Canvas and Colab leave them, and a roster."""

import csv
import io
import os
import re
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from segnb.exercises.grading.unpack import ARCHIVE, is_aside, is_notebook

MOST_ENTRIES = 2_000  # of one person's folder; nobody needs more, and a machine may make millions
LARGEST_FILE = 50 * 2**20
MOODLE = re.compile(r"(?P<name>.+)_(?P<id>\d+)_assignsubmission_[a-z]+_?(?P<rest>.*)", re.DOTALL)
CANVAS = re.compile(r"(?P<name>[^_]+)(_LATE)?_(?P<id>\d+)_\d+_(?P<rest>.+)", re.DOTALL)
CLASSROOM = re.compile(r"(?P<name>.+?) - (?P<rest>.*\.ipynb.*)", re.DOTALL | re.IGNORECASE)
# A second copy, as browsers and Colab name it.
COPY = re.compile(r"( ?\(\d+\)|^(copy of |kopie von |copia de |copie de ))+", re.IGNORECASE)
SHEET = re.compile(r"\d\d_[a-z_0-9]+", re.IGNORECASE)


def readable(text: str) -> str:
    """A name that can be printed and written anywhere: what is no text, or steers a terminal, stands there in numbers."""
    plain = text.encode("utf-8", "backslashreplace").decode()
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in plain)


def plain(text: str) -> str:
    """A name without what does not matter in a name: capitals, accents' spelling, spaces around and between."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def same(one: str, other: str) -> bool:
    """Whether two names are the same one: equal, not alike."""
    return bool(plain(one)) and plain(one) == plain(other)


@dataclass
class Person:
    """Somebody of the class: the names they go by, the first of them for the table, and the files they handed in."""

    names: list[str]
    files: list[Path] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def label(self) -> str:
        return readable(self.names[0])


# ------------------------------------------------------------------------------------------------ the folder


def people(folder: Path, apart: set[Path]) -> list[Person]:
    """Everybody who has something in a folder, in the order of their names. apart: files that nobody handed in."""
    found: dict[str, Person] = {}
    for entry in sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name)):
        if is_aside(entry.name) or Path(entry.path).absolute() in apart:
            continue
        key, names = owner(entry.name)
        person = found.setdefault(key, Person(names))
        if entry.is_dir(follow_symlinks=False):
            collect(Path(entry.path), person)
        elif entry.is_symlink():
            person.problems.append(f"{readable(entry.name)} is a link, not a file")
        else:
            take(Path(entry.path), person)
    for person in found.values():
        if not person.files and not person.problems:
            person.problems.append("There is no notebook (.ipynb) here.")
    return list(found.values())


def owner(name: str) -> tuple[str, list[str]]:
    """Whose file or folder this is: a key that is one person's, and the names that its own name gives away."""
    for system, form in (("Moodle", MOODLE), ("Canvas", CANVAS)):
        if match := form.fullmatch(name):
            return f"{system} {match['id']}", [match["name"], match["id"]]
    if match := CLASSROOM.fullmatch(name):
        return match["name"], [match["name"]]
    stem = re.sub(r"\.(ipynb(\.txt|\.json)?|zip)", "", name, flags=re.IGNORECASE) or name
    bare = COPY.sub("", stem).strip()
    if not bare or SHEET.fullmatch(
        bare
    ):  # "06_unet (1)" and "06_unet (2)" are two people's, who changed no name
        return stem, [stem]
    return bare, [bare]


def take(path: Path, person: Person) -> None:
    """Add one file to what somebody handed in, or the reason why a person has to look at it."""
    if is_notebook(path.name) or path.suffix.lower() == ".zip":
        person.files.append(path)
    elif ARCHIVE.search(path.name):
        person.problems.append(f"{readable(path.name)} is an archive that has to be unpacked first")
    elif not person.files:
        person.problems.append(f"{readable(path.name)} is no notebook (.ipynb)")


def collect(folder: Path, person: Person) -> None:
    """Add all notebooks and zips below a folder, whatever depth they lie in. Links are followed nowhere."""
    seen = 0
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_aside(name))
        for name in sorted(names):
            path = Path(where, name)
            seen += 1
            if (
                is_notebook(name)
                or (path.suffix.lower() == ".zip" and not is_aside(name))
                or ARCHIVE.search(name)
            ):
                take(path, person)
            if seen > MOST_ENTRIES:
                person.problems.append(f"The folder holds more than {MOST_ENTRIES} files.")
                return


def is_class(archive: Path) -> bool:
    """Whether a zip holds what a course system exports, several people's: if not, it is one person's."""
    try:
        with zipfile.ZipFile(archive) as zipped:
            names = [part for one in zipped.namelist() for part in one.split("/")]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
    return any(MOODLE.fullmatch(name) or CANVAS.fullmatch(name) for name in names)


def unpack_class(archive: Path, into: Path) -> None:
    """Lay out the zip of a whole class, as a course system exports it, in a folder. zipfile.BadZipFile, OSError."""
    with zipfile.ZipFile(archive) as zipped:
        members = [one for one in zipped.infolist() if not one.is_dir() and not is_aside(one.filename)]
        outer = {one.filename.split("/")[0] for one in members}
        within = len(outer) == 1 and all(one.filename.count("/") for one in members)
        for member in members:
            parts = [part for part in member.filename.split("/")[within:] if part not in ("", ".", "..")]
            target = into.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            with zipped.open(member) as source, target.open("wb") as copy:
                left = LARGEST_FILE + 1  # enough to see that it is too large
                while left > 0 and (part := source.read(min(left, 2**20))):
                    copy.write(part)
                    left -= len(part)


# ------------------------------------------------------------------------------------------------ the roster

FULL_NAME = {"name", "full name", "student", "student name", "display name", "username", "user name"}
FIRST_NAME, LAST_NAME = (
    {"first name", "firstname", "given name", "vorname"},
    {"last name", "surname", "lastname", "nachname"},
)
OTHER_NAME = {
    *(
        "id",
        "student id",
        "id number",
        "student number",
        "identifier",
        "matriculation number",
        "own",
        "own number",
    ),
    *("sis user id", "sis login id", "login", "user id", "userid", "participant", "participant number"),
    *("email", "e-mail", "email address", "mail", "folder"),
}


def read_roster(path: Path) -> list[Person]:
    """The people in a class list (CSV with a line of headings). ValueError, saying which headings are known."""
    raw = path.read_bytes()
    text = raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", errors="replace")
    heading = text.partition("\n")[0]
    delimiter = max(",;\t", key=heading.count)
    table = csv.DictReader(io.StringIO(text), delimiter=delimiter, restkey="")
    found = []
    for line in table:
        cells = {plain(head): cell.strip() for head, cell in line.items() if head and isinstance(cell, str)}
        if names := list(dict.fromkeys(names_of(cells))):
            found.append(Person(names))
    if not found:
        known = "name, first name, last name, id, email"
        raise ValueError(f"{path} names nobody: its first line needs headings such as {known}")
    return found


def names_of(cells: dict[str, str]) -> Iterator[str]:
    """All names in one line of a roster that a folder, a course system or the learner may use."""

    def first_of(headings: set[str]) -> str:
        return next((cells[head] for head in cells if head in headings and cells[head]), "")

    full, first, last = first_of(FULL_NAME), first_of(FIRST_NAME), first_of(LAST_NAME)
    if first and last:
        yield from (
            f"{first} {last}",
            f"{last}, {first}",
            f"{last} {first}",
            f"{last}{first}".replace(" ", ""),
        )
    if full:
        yield full
        family, comma, given = full.partition(",")
        if comma:
            yield from (f"{given.strip()} {family.strip()}", f"{family}{given}".replace(" ", ""))
        elif " " in full:
            given, _, family = full.rpartition(" ")
            yield from (f"{family}, {given}", f"{family}{given}".replace(" ", ""))
    for head, cell in cells.items():
        if head in OTHER_NAME and cell:
            yield cell
            yield cell.partition("@")[0]


def match(handed_in: list[Person], roster: list[Person]) -> list[Person]:
    """The class in the order of its roster, each with what they handed in; then those who are not in it."""
    known: dict[str, list[Person]] = {}
    for person in roster:
        for name in {plain(name) for name in person.names}:
            known.setdefault(name, []).append(person)
    strangers = []
    for one in handed_in:
        hits = [known[name][0] for name in map(plain, one.names) if len(known.get(name, [])) == 1]
        if not hits:
            one.notes.append("not in the roster")
            strangers.append(one)
            continue
        person = hits[-1]  # of name and number, the number comes last and says more
        person.names += [name for name in one.names if name not in person.names]
        person.files += one.files
        person.problems += one.problems
    for person in roster:
        if not person.files and not person.problems:
            person.problems.append("Nothing was handed in.")
    return roster + strangers
