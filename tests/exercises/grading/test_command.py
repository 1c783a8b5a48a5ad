"""The command as a teacher meets it: all solutions get full marks, it goes on after a stop, it says which walls are missing."""

import csv
import json

import pytest

from segnb.exercises import grading, registry
from segnb.exercises.grading import command, walls
from tests.exercises.grading import corpus

SOLUTIONS = sorted((corpus.ROOT / "chapters/solutions").glob("*.ipynb"))
RIGHT = json.dumps(corpus.sheet(corpus.RIGHT))
ENDLESS = json.dumps(corpus.hostile("    while True: pass"))


def table(path):
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def class_(tmp_path):
    """A folder for submissions, a private exercise file, and the options for both."""
    (tmp_path / "class").mkdir()
    (tmp_path / "private.py").write_text(corpus.PRIVATE)
    options = [
        str(tmp_path / "class"),
        "--out",
        str(tmp_path / "g.csv"),
        "--exercises",
        str(tmp_path / "private.py"),
    ]
    return tmp_path / "class", [*options, "--cpu-seconds", "2", "--jobs", "1"], tmp_path / "g.csv"


def test_every_solution_notebook_gets_full_marks(tmp_path):
    folder, out = tmp_path / "class", tmp_path / "grades.csv"
    for path in SOLUTIONS:
        (folder / path.stem).mkdir(parents=True)
        (folder / path.stem / path.name).write_bytes(path.read_bytes())
    options = ["--seconds", "240", "--cpu-seconds", "60", "--seed", "7"]
    assert grading.main([str(folder), "--out", str(out), *options]) == 0
    rows = table(out)
    assert [
        row for row in rows if row["points"] != f"{float(row['max'])}" or row["how found"] != "grade_id"
    ] == []
    assert sorted(row["exercise"] for row in rows) == sorted(registry)


def test_a_broken_off_run_goes_on_and_a_new_file_is_graded_anew(class_, monkeypatch, capsys):
    folder, options, out = class_
    for name in ("ada", "ben", "cem"):
        (folder / f"{name}.ipynb").write_text(RIGHT)
    add = command.Table.add

    def stop_at_the_third(self, stamp, result):
        if len(self.done) == 2:
            raise KeyboardInterrupt
        add(self, stamp, result)

    with monkeypatch.context() as patch:
        patch.setattr(command.Table, "add", stop_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            grading.main(options)
    assert {row["student"] for row in table(out)} == {"ada", "ben"}
    with out.with_name("g.csv.part").open("a") as journal:
        journal.write('{"stamp": "half a li')
    (folder / "ben.ipynb").write_text(ENDLESS)
    assert grading.main(options) == 0
    assert "1 of 3 were graded before" in capsys.readouterr().out
    points = {row["student"]: row["points"] for row in table(out) if row["exercise"] == corpus.NAME}
    assert points == {"ada": "2.0", "ben": "0.0", "cem": "2.0"}
    assert sorted(path.name for path in out.parent.iterdir()) == ["class", "g.csv", "private.py"]


def test_without_namespaces_landlock_does_and_without_both_nothing_runs_until_trusted(
    class_, monkeypatch, capsys
):
    folder, options, out = class_
    (folder / "ada.ipynb").write_text(RIGHT)
    (folder / "ben.ipynb").write_text(ENDLESS)
    monkeypatch.setattr(command, "WAYS", ("Landlock", "nothing"))
    code, printed = grading.main(options), capsys.readouterr().out
    if "Used instead: nothing" not in printed:
        assert code == 0
        assert [row["points"] for row in table(out) if row["exercise"] == corpus.NAME] == ["2.0", "0.0"]
        out.unlink()
    monkeypatch.setattr(command, "WAYS", ("nothing",))
    assert grading.main(options) == 2
    printed = capsys.readouterr().out
    assert walls.FILES in printed
    assert "add --i-trust-this-code" in printed
    assert not out.exists()
    assert grading.main([*options, command.TRUST]) == 0
    assert [row["points"] for row in table(out) if row["exercise"] == corpus.NAME] == ["2.0", "0.0"]


def test_the_roster_names_the_missing_and_the_signature_finds_an_owner(class_, tmp_path):
    folder, options, out = class_
    (folder / "06_unet (1).ipynb").write_text(RIGHT.replace('student = \\"your-id\\"', 'student = \\"ada\\"'))
    (tmp_path / "roster.csv").write_text("name,id\nAda Lovelace,ada\nBen Ng,ben\n")
    assert grading.main([*options, "--roster", str(tmp_path / "roster.csv")]) == 0
    rows = table(out)
    assert [row["student"] for row in rows] == ["Ben Ng", "Ada Lovelace", "Ada Lovelace"]
    assert rows[0]["first failed hint"] == "Nothing was handed in."
    assert "by its signature 'ada'" in rows[1]["notes"]


def test_folders_that_cannot_be_graded(tmp_path, capsys):
    assert grading.main([str(tmp_path / "nowhere")]) == 2
    assert "There is no folder" in capsys.readouterr().out
    assert grading.main([str(corpus.ROOT)]) == 2
    assert "use a folder of its own" in capsys.readouterr().out
