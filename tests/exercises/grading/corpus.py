"""A class of honest, damaged and hostile submissions, made up for the grader, and what it must make of each.

Most are sheet 6 with another answer to `crop_and_concat` (2 points). To add one, write an `Entry`: the test runs it, and
`python -m tests.exercises.grading.promises` counts it on the page for teachers.
"""

import copy
import functools
import io
import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from segnb.exercises import unet, variant

ROOT = Path(__file__).parents[3]
SHEET = json.loads((ROOT / "chapters/exercises/06_unet.ipynb").read_text(encoding="utf-8"))
PRIVATE = """
from segnb.exercises import registry

EXERCISES = [registry["crop_and_concat"], registry["net_parameters"]]
"""
NAME = "crop_and_concat"
STUB = '    raise NotImplementedError("crop_and_concat: write this function")'
FULL = 2
PARTLY = "partly"


@dataclass(frozen=True)
class Entry:
    """Files in a student's folder; the points of crop_and_concat, or None if a person must look; a part of the hint."""

    files: dict[str, bytes | Callable[[Path], None]]
    points: float | str | None
    hint: str = ""
    notes: str = ""
    needs_walls: bool = False  # what the hint tells is only so where the file system is walled off


def packed(notebook) -> bytes:
    return json.dumps(notebook).encode(errors="surrogatepass")


def one(notebook, points, hint="", notes="", **more) -> Entry:
    return Entry({"06_unet.ipynb": packed(notebook)}, points, hint, notes, **more)


def answer_cell() -> dict:
    (found,) = [
        cell for cell in SHEET["cells"] if cell["metadata"].get("nbgrader", {}).get("grade_id") == NAME
    ]
    return copy.deepcopy(found)


def code(source: str) -> dict:
    return {"cell_type": "code", "metadata": {}, "outputs": [], "source": source}


def marked(source: str) -> dict:
    """The answer cell with another text below its first line."""
    return answer_cell() | {"source": f"# EXERCISE {NAME}\n{source}"}


def body(lines: str, before: str = "", after: str = "") -> dict:
    """The answer cell with this body of the function, and lines above and below it."""
    return marked(f"{before}def crop_and_concat(skip, up):\n{lines}\n{after}")


CROP = (
    "    height, width = up.shape[2:]\n"
    "    top, left = (skip.shape[2] - height) // 2, (skip.shape[3] - width) // 2\n"
)
LINES = CROP + "    return torch.cat([skip[:, :, top : top + height, left : left + width], up], dim=1)"
RIGHT = body(LINES)
NO_EQUAL_SIZES = body(
    "    c, d = (skip.shape[2] - up.shape[2]) // 2, (skip.shape[3] - up.shape[3]) // 2\n"
    "    return torch.cat([skip[:, :, c:-c, d:-d], up], dim=1)"
)
OTHER_WORDS = (
    "    c, d = [(a - b) // 2 for a, b in zip(skip.shape[2:], up.shape[2:])]\n"
    "    return torch.cat([F.pad(skip, (-d, -d, -c, -c)), up], dim=1)"
)


def sheet(*cells) -> dict:
    """The sheet, its crop_and_concat cell replaced by these."""
    notebook = copy.deepcopy(SHEET)
    place = notebook["cells"].index(answer_cell())
    notebook["cells"][place : place + 1] = copy.deepcopy(list(cells))
    return notebook


def hostile(lines: str, before: str = "", after: str = "") -> dict:
    return sheet(body(lines, before, after))


def checks(notebook, change) -> dict:
    """The notebook with every check cell replaced by what `change` makes of it; None leaves it out."""
    cells = [
        change(cell) if "check" in cell["metadata"].get("tags", []) else cell for cell in notebook["cells"]
    ]
    return notebook | {"cells": [cell for cell in cells if cell]}


def without_marks(notebook, first_line: bool = True) -> dict:
    notebook = copy.deepcopy(notebook)
    for cell in notebook["cells"]:
        cell["metadata"] = {}
        if not first_line:
            cell["source"] = "".join(cell["source"]).replace(f"# EXERCISE {NAME}\n", "")
    return notebook


def from_colab(notebook) -> dict:
    notebook = notebook | {"nbformat_minor": 0}
    for number, cell in enumerate(notebook["cells"]):
        del cell["id"]
        cell["metadata"] |= {"id": f"Xy{number}", "colab": {"base_uri": "https://localhost:8080/"}}
    return notebook


def own(signed: str, number: int) -> dict:
    """The sheet, right, signed with a name and a typed number of parameters."""
    notebook = sheet(RIGHT)
    for cell in notebook["cells"]:
        source = "".join(cell["source"]).replace('student = "your-id"', f'student = "{signed}"')
        cell["source"] = source.replace("net_parameters = ...", f"net_parameters = {number}")
    return notebook


@functools.cache
def number_of(student: str) -> int:
    return unet.net_parameters(*unet.my_net(variant(student)))


def zipped(*members: tuple[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


def other_name(cell) -> dict:
    text = "".join(cell["source"])
    return cell | {"source": 'segnb.check("crop_and_concat", my_crop)'} if NAME in text else cell


def honest() -> dict[str, Entry]:
    """What ran in a notebook is graded as it ran."""
    helper = code("import torch.nn.functional as G\n\ndef middle(a, b):\n    return (a - b) // 2")
    leaning = body(
        "    c, d = [middle(a, b) for a, b in zip(skip.shape[2:], up.shape[2:])]\n"
        "    return torch.cat([G.pad(skip, (-d, -d, -c, -c)), up], dim=1)"
    )
    elsewhere = marked(f"def crop_and_concat(skip, up):\n{STUB}")
    in_brackets = body("    height, width = up.shape[2:]\n    top = ((skip.shape[2] - height) // 2\n% 1000)\n" + LINES.split("\n")[1]
                       + "\n" + LINES.split("\n")[2])  # fmt: skip
    in_string = body(f'    """Joins.\n\n!not a command\n%nor this\n"""\n{LINES}')
    shell = body(
        LINES,
        before="%matplotlib inline\nt = !date\n!pip install nothing\n",
        after="crop_and_concat?\n%time 1 + 1",
    )
    commented = body(f"    # {STUB.strip()}\n{LINES}")
    magic = answer_cell() | {"source": f"%%time\n# EXERCISE {NAME}\ndef crop_and_concat(skip, up):\n{LINES}"}
    return {
        "correct": one(sheet(RIGHT), FULL),
        "other_words": one(sheet(body(OTHER_WORDS)), FULL),
        "duplicated": one(sheet(RIGHT, answer_cell()), FULL),
        "check_deleted": one(checks(sheet(RIGHT), lambda cell: None), FULL),
        "no_metadata": one(without_marks(sheet(RIGHT)), FULL),
        "no_marks": one(without_marks(sheet(RIGHT), first_line=False), FULL),
        "colab": one(from_colab(sheet(RIGHT)), FULL),
        "markdown": one(sheet(RIGHT | {"cell_type": "markdown"}), FULL),
        "helper_elsewhere": one(sheet(helper, leaning), FULL, notes="leans on middle from another cell"),
        "missing_import": one(sheet(code("import not_installed"), RIGHT), FULL),
        "other_name": one(checks(sheet(elsewhere, code(f"def my_crop(skip, up):\n{LINES}")), other_name), FULL),
        "renamed": one(sheet(marked(f"def my_crop(skip, up):\n{LINES}")), FULL),
        "lambda": one(sheet(marked("crop_and_concat = lambda skip, up: join(skip, up)\n"), code(f"def join(skip, up):\n{LINES}")), FULL),
        "percent_in_brackets": one(sheet(in_brackets), FULL),
        "bang_in_string": one(sheet(in_string), FULL),
        "shell_and_help": one(sheet(shell), FULL),
        "cell_magic": one(sheet(magic), FULL),
        "displays_and_asks": one(sheet(body(LINES, before="n = input('n?')\n", after="display(n)\nprint(input())")), FULL),
        "failing_trial": one(sheet(body(LINES, after="print(crop_and_concat(skip, 3))\n1 / 0")), FULL),
        "failing_line_above": one(sheet(body(LINES, before="print(not_there)\n")), FULL),
        "stub_as_comment": one(sheet(commented, code("crop_and_concat = None\nup = 3")), FULL),
        "scratch_cell": one(sheet(code("def crop_and_concat(skip, up):\n    return skip"), RIGHT), FULL),
        "long_loop_below": one(sheet(body(LINES, after="while True:\n    pass")), FULL),
        "utf_16": Entry({"06_unet.ipynb": json.dumps(sheet(RIGHT), ensure_ascii=False).encode("utf-16")}, FULL),
        "capitals": Entry({"06_UNET.IPYNB": packed(sheet(RIGHT))}, FULL),
        "text_ending": Entry({"06_unet.ipynb.txt": packed(sheet(RIGHT))}, FULL),
        "second_copy": Entry({"06_unet.ipynb": packed(SHEET), "06_unet (1).ipynb": packed(sheet(RIGHT))}, FULL),
        "deep_down": Entry({"home/work/06_unet.ipynb": packed(sheet(RIGHT))}, FULL),
        "zip": Entry({"hand-in.zip": zipped(("x/06_unet.ipynb", packed(sheet(RIGHT))), ("x/a.png", b"?"))}, FULL),
        "Ada Lovelace_4711_assignsubmission_file_": one(sheet(RIGHT), FULL),
        "wrong_on_equal_sizes": one(sheet(NO_EQUAL_SIZES), PARTLY, "[c:-c]"),
        "stub": one(SHEET, 0, "not written yet"),
        "check_edited": one(checks(copy.deepcopy(SHEET), lambda cell: cell | {"source": "pass"}), 0, "not written yet"),
        "syntax_error": one(sheet(body("    return torch.cat([skip, up], dim=1")), 0, "SyntaxError"),
        "not_a_function": one(sheet(marked("crop_and_concat = torch.zeros(1)")), 0, "Hand in the function itself"),
        "name_nowhere": one(sheet(body("    return helper(skip)")), 0, "NameError: name 'helper' is not defined"),
        "ada": one(own("ada", number_of("ada")), FULL),
        "ben": one(own("ada", number_of("ada")), FULL),
        "cem": one(own("cem", number_of("ada")), FULL),
        "borrows": one(sheet(marked("from segnb.exercises.tasks.unet import crop_and_concat")), FULL, notes="the course's own"),
        "twin": one(sheet(body(LINES + "  # mine")), FULL, notes="the same text as"),
    }  # fmt: skip


def damaged() -> dict[str, Entry]:
    """What a person has to look at: a row that says so."""
    lost = {"cells": [code("print(1)")], "metadata": {}}
    locked = bytearray(zipped(("a.ipynb", packed(SHEET))))
    for mark in (b"PK\x03\x04", b"PK\x01\x02"):
        locked[locked.index(mark) + (6 if mark[2] == 3 else 8)] |= 1  # the bit that says "encrypted"
    return {
        "cut_off": Entry({"06_unet.ipynb": packed(sheet(RIGHT))[:5000]}, None, "damaged or not a notebook"),
        "no_notebook": Entry({"06_unet.ipynb": b"[1, 2]"}, None, "damaged or not a notebook"),
        "other_notebook": one(lost, None, "No answer cell of these exercises was found."),
        "empty_file": Entry({"06_unet.ipynb": b""}, None, "is empty"),
        "empty_folder": Entry({}, None, "There is no notebook"),
        "pdf_only": Entry({"hand-in.pdf": b"%PDF"}, None, "There is no notebook"),
        "rar": Entry({"hand-in.rar": b"Rar!"}, None, "has to be unpacked first"),
        "damaged_zip": Entry({"a.zip": zipped(("a.ipynb", packed(SHEET)))[:300]}, None, "damaged or no zip"),
        "locked_zip": Entry({"a.zip": bytes(locked)}, None, "locked with a password"),
        "deep_nesting": Entry({"a.ipynb": b'{"cells": ' + b"[" * 200_000}, None, "damaged or not a notebook"),
        "odd_cells": Entry({"a.ipynb": b'{"cells": [null, 3, {"source": {"a": 1}}]}'}, None, "damaged or not a notebook"),
        "numbers_for_text": Entry({"a.ipynb": b'{"cells": [{"source": [1, 2]}]}'}, None, "damaged or not a notebook"),
    }  # fmt: skip


def huge() -> dict[str, Entry]:
    """Honest in form and out of all measure."""
    list_of_numbers = "numbers = [" + "1," * 10**6 + "]\n"
    many = sheet(RIGHT)
    many["cells"] += [code("x = 1")] * 100_000
    names = sheet(RIGHT, code('student = "a"\n' * 10**6))
    return {
        "large_cell": Entry({"a.ipynb": packed(sheet(RIGHT, code("#" * 40 * 2**20)))}, FULL),
        "too_large_cell": Entry(
            {"a.ipynb": packed(sheet(code("x" * 51 * 2**20)))}, None, "larger than 50 MB"
        ),
        "many_cells": one(many, FULL),
        "large_literal": one(hostile(LINES, before=list_of_numbers), FULL),
        "large_literal_used": one(
            hostile("    return numbers", before="numbers = [" + "1," * 10**5 + "]\n"),
            0,
            "a tensor is wanted",
        ),
        "many_signatures": one(names, FULL),
        "deep_expression": one(sheet(marked("crop_and_concat = " + "(" * 5000 + "0" + ")" * 5000)), 0, ""),
        "deep_tree": one(sheet(marked("crop_and_concat = 0" + " + 0" * 50_000)), 0, ""),
        "magics": one(sheet(RIGHT, code("%time\n" * 3000)), FULL),
        "zip_bomb": Entry({"a.zip": zipped(("a.ipynb", b" " * (300 * 2**20)))}, None, "larger than 50 MB"),
    }


def device(path: Path) -> None:
    os.mkfifo(path)


def link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


FORK_BOMB = "    import os\n    while True:\n        os.fork()"
DAEMON = (
    "    import os, time\n    if os.fork() == 0:\n        os.setsid()\n        if os.fork() == 0:\n"
    "            time.sleep(3600)\n        os._exit(0)\n    return skip"
)
MANY_TIMES_600_MB = (
    "    import os\n    for _ in range(8):\n        if os.fork() == 0:\n"
    "            hold = bytearray(600 * 2**20)\n            hold[::4096] = bytes(len(hold[::4096]))\n            while True: pass\n"
    "    while True: pass"
)
MEMFD = (
    "    import os\n    handles = []\n    while True:\n        handle = os.memfd_create('x')\n"
    "        handles.append(handle)\n        os.write(handle, bytes(2**24))"
)
FILL_DISK = "    import os\n    for number in range(10**6):\n        with open(f'f{number}', 'wb') as file:\n            file.write(bytes(2**23))"
SNOOP = (
    "    import glob, os\n    seen = []\n    for place in PLACES:\n        try:\n            seen.append(open(place).read(80))\n"
    "        except OSError:\n            pass\n        seen += glob.glob(place + '*')\n    raise ValueError(f'saw {seen}')"
)
EQUAL = (
    "class Equal:\n    def __eq__(self, other): return True\n    def __sub__(self, other): return self\n"
    "    def __abs__(self): return 0\n    shape = dtype = requires_grad = 0\n"
)
TEAR_DOWN = (
    "    libc = ctypes.CDLL(None)\n"
    "    done = [libc.mount(None, b'/', None, 0x1020, None), libc.umount2(b'/tmp', 2), libc.unshare(0x10020000)]\n"
    "    raise ValueError(f'done {done}')"
)


def hostile_ones() -> dict[str, Entry]:
    """What tries to earn points it has no right to, to see, to break, or to stop the class."""
    surrogate = "    raise ValueError('\\udcff\\ud800 = \\x1b[2J')"
    return {
        "equals_all": one(hostile("    return Equal()", EQUAL), 0, "object of type Equal"),
        "forges_lines": one(hostile("    import os\n    os.write(3, b'[1]\\n')\n    os._exit(0)"), 0, "no result"),
        "forges_result": one(
            hostile("    import os\n    os.write(3, b'{\"value\": {\"kind\": \"tensor\"}, \"error\": null, \"changed\": []}\\n' * 9)\n    os._exit(0)"), 0, "no result"),
        "floods": one(hostile("    import os\n    while True: os.write(3, b'0' * 65536)"), 0, ""),
        "json_bomb": one(hostile("    import os\n    os.write(3, b'[' * 10**6 + b'\\n')\n    os._exit(0)"), 0, "no result"),
        "patches_engine": one(hostile("    return skip", "import segnb.exercises.engine as e\ne.encode = lambda v: {'kind': 'nothing'}\n"), 0, ""),
        "patches_json": one(hostile("    return skip", "import json\njson.dumps = lambda *a, **k: 'null'\n"), 0, ""),
        "quits_at_once": one(hostile("    pass", "import os\nos._exit(0)\n"), 0, "a tensor is wanted"),
        "quits": one(hostile("    import os\n    os._exit(0)"), 0, "Its process ended before it gave a result."),
        "exits": one(hostile("    exit()"), 0, "ends the whole program"),
        "raises_base": one(hostile("    raise BaseException('x')"), 0, "Its process ended"),
        "interrupts": one(hostile("    raise KeyboardInterrupt"), 0, "Its process ended"),
        "segfaults": one(hostile("    import ctypes\n    ctypes.string_at(0)"), 0, "Its process ended"),
        "recurses": one(hostile("    return crop_and_concat(skip, up)"), 0, "RecursionError"),
        "surrogate_message": one(hostile(surrogate), 0, "ValueError"),
        "formula_message": one(hostile("    raise ValueError('\\r=cmd|calc')", "=1"), 0, ""),
        "endless": one(hostile("    while True:\n        pass"), 0, "longer than"),
        "sleeps": one(hostile("    import time\n    time.sleep(3600)"), 0, "longer than"),
        "sleeps_when_defined": one(sheet(marked("def crop_and_concat(skip, up=__import__('time').sleep(3600)):\n    return up")), 0, "longer than"),
        "hangs_up": one(hostile("    import os\n    os.close(3)\n    while True: pass"), 0, "longer than"),
        "ignores_signals": one(hostile("    import signal\n    for n in range(1, 65):\n        try: signal.signal(n, signal.SIG_IGN)\n        except (OSError, ValueError): pass\n    while True: pass"), 0, "longer than"),
        "stops_itself": one(hostile("    import os, signal\n    os.kill(os.getpid(), signal.SIGSTOP)"), 0, ""),
        "kills_all": one(hostile("    import os, signal\n    os.kill(-1, signal.SIGKILL)"), 0, "", needs_walls=True),
        "kills_parent": one(hostile("    import os, signal\n    os.kill(os.getppid(), signal.SIGKILL)\n    return skip"), 0, ""),
        "memory": one(hostile("    return torch.zeros(10**10)"), 0, "memory"),
        "memory_slowly": one(hostile("    hold = []\n    while True: hold.append(bytes(2**20))"), 0, "MemoryError"),
        "memory_of_many": one(hostile(MANY_TIMES_600_MB), 0, ""),
        "memory_in_memfds": one(hostile(MEMFD), 0, "not permitted", needs_walls=True),
        "fork_bomb": one(hostile(FORK_BOMB), 0, ""),
        "threads": one(hostile("    import threading, time\n    while True: threading.Thread(target=time.sleep, args=(99,)).start()"), 0, ""),
        "daemon": one(hostile(DAEMON), 0, ""),
        "fills_disk": one(hostile(FILL_DISK), 0, ""),
        "many_files": one(hostile("    for n in range(10**7): open(f'f{n}', 'w').close()"), 0, ""),
        "large_result": one(hostile("    return torch.zeros(5000, 5000)"), 0, ""),
        "snoops": one(hostile(SNOOP, "PLACES = '@home@/ @home@/secret.txt @out@ @folder@/ @private@ /etc/passwd /proc/1/environ /root/ /home/'.split()\n"), 0, "saw []", needs_walls=True),
        "snoops_in_environment": one(hostile("    import os\n    raise ValueError([key for key in os.environ if 'SECRET' in key])"), 0, "ValueError: []"),
        "writes_outside": one(hostile("    open('@folder@/../mine', 'w')"), 0, "Error", needs_walls=True),
        "changes_segnb": one(hostile("    open(segnb.__file__, 'a').write('x')"), 0, "Error", needs_walls=True),
        "network": one(hostile("    import socket\n    socket.create_connection(('127.0.0.1', @port@), 1)"), 0, "Error"),
        "breaks_out": one(hostile(TEAR_DOWN, "import ctypes\n"), 0, "done [-1, -1, -1]", needs_walls=True),
        "traces": one(hostile("    import ctypes, os\n    raise ValueError(ctypes.CDLL(None).ptrace(16, os.getppid(), 0, 0))"), 0, "ValueError: -1"),
        "device_file": Entry({"a.ipynb": device}, None, "no file but a device"),
        "link": Entry({"a.ipynb": link}, None, "is a link"),
        "link_beside": Entry({"a.ipynb": packed(sheet(RIGHT)), "b.ipynb": link}, FULL),
        "zip_slip": Entry({"a.zip": zipped(("../../../mine.ipynb", packed(sheet(RIGHT))))}, FULL),
        "=cmd|' C calc'!A0": one(sheet(RIGHT), FULL),
        "\t=1+1": one(sheet(RIGHT), FULL),
        os.fsdecode(b"\xff\xfename"): one(sheet(RIGHT), FULL),
        "\x1b[2Jclear": one(sheet(RIGHT), FULL),
        "<script>alert(1)</script>".replace("/", "_"): one(sheet(RIGHT), FULL),
        "n" * 200: one(sheet(RIGHT), FULL),
        "surrogate_in_file_name": Entry({os.fsdecode(b"06_\xff.ipynb"): packed(sheet(RIGHT))}, FULL),
        "surrogate_in_cell": one(sheet(RIGHT, code("x = '\ud800'")), FULL),
        "surrogate_signature": one(own("\ud800\udcff", 3), FULL),
        "null_bytes": one(sheet(RIGHT, code("\0" * 100)), FULL),
        "odd_metadata": one(sheet(RIGHT | {"metadata": {"nbgrader": {"grade_id": ["x"], "solution": 1}}}), FULL),
    }  # fmt: skip


def all_entries() -> dict[str, Entry]:
    return honest() | damaged() | huge() | hostile_ones()


def lay_out(home: Path, port: int) -> tuple[Path, dict[str, Entry]]:
    """The class in `home`/submissions, with secrets beside it; the folder, and what is to come of each student."""
    folder = home / "submissions"
    folder.mkdir()
    (home / "secret.txt").write_text("the teacher's secret")
    (home / "private.py").write_text(PRIVATE)
    words = {
        "@folder@": folder,
        "@home@": home,
        "@out@": home / "grades.csv",
        "@private@": home / "private.py",
        "@port@": port,
    }
    entries = all_entries()
    for name, entry in entries.items():
        (folder / name).mkdir()
        for file, content in entry.files.items():
            path = folder / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            if callable(content):
                content(path)
                continue
            for word, meaning in words.items():
                if len(content) < 10**6:
                    content = content.replace(word.encode(), str(meaning).encode())
            path.write_bytes(content)
    return folder, entries
