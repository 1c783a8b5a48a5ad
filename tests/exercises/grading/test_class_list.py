"""A row for each person: folders, files and zips as course systems export them, and the class list."""

import json
import os
import zipfile

import pytest

from segnb.exercises.grading import class_list, unpack

EMPTY = json.dumps({"cells": []}).encode()


def lay_out(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(EMPTY)
    return folder


def persons(folder, *apart):
    return {
        person.label: [path.name for path in person.files] for person in class_list.people(folder, set(apart))
    }


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("ada", ["ada"]),
        ("ada.ipynb", ["ada"]),
        ("ADA.IPYNB", ["ADA"]),
        ("ada (1).ipynb", ["ada"]),
        ("Copy of ada.ipynb", ["ada"]),
        ("ada.zip", ["ada"]),
        ("06_unet (2).ipynb", ["06_unet (2)"]),
        ("Ada Lovelace_4711_assignsubmission_file_", ["Ada Lovelace", "4711"]),
        ("Ada Lovelace_4711_assignsubmission_file_06_unet.ipynb", ["Ada Lovelace", "4711"]),
        ("lovelaceada_LATE_88_99_06_unet-1.ipynb", ["lovelaceada", "88"]),
        ("Ada Lovelace - 06_unet.ipynb", ["Ada Lovelace"]),
    ],
)
def test_names_of_course_systems(name, names):
    assert class_list.owner(name)[1] == names


def test_a_person_is_a_folder_or_a_file_and_has_all_their_copies(tmp_path):
    lay_out(
        tmp_path,
        "ada/a.ipynb",
        "ada/deep/er/B.IPYNB",
        "ada/.ipynb_checkpoints/old.ipynb",
        "ben.ipynb",
        "ben (1).ipynb",
    )
    lay_out(
        tmp_path,
        "06_unet.ipynb",
        "06_unet (1).ipynb",
        "__MACOSX/x.ipynb",
        ".DS_Store",
        "grades.csv",
        "cem.pdf",
        "dan.rar",
    )
    (tmp_path / "empty").mkdir()
    (tmp_path / "eve.ipynb").symlink_to(tmp_path / "ben.ipynb")
    (tmp_path / "fay").symlink_to(tmp_path / "ada", target_is_directory=True)
    found = persons(tmp_path, tmp_path / "grades.csv")
    assert found == {
        "06_unet (1)": ["06_unet (1).ipynb"],
        "06_unet": ["06_unet.ipynb"],
        "ada": ["a.ipynb", "B.IPYNB"],
        "ben": ["ben (1).ipynb", "ben.ipynb"],
        **{name: [] for name in ("cem.pdf", "dan.rar", "empty", "eve", "fay")},
    }
    problems = {
        person.label: person.problems for person in class_list.people(tmp_path, set()) if not person.files
    }
    assert problems["eve"] == ["eve.ipynb is a link, not a file"]
    assert problems["empty"] == ["There is no notebook (.ipynb) here."]
    assert problems["dan.rar"] == ["dan.rar is an archive that has to be unpacked first"]


def test_any_byte_in_a_name(tmp_path):
    (tmp_path / os.fsdecode(b"\xff\xfe\x1b[31m.ipynb")).write_bytes(EMPTY)
    (tmp_path / "new\nline.ipynb").write_bytes(EMPTY)
    assert set(persons(tmp_path)) == {r"\udcff\udcfe\x1b[31m", r"new\nline"}


def test_the_zip_of_a_class_is_laid_out_and_stays_inside(tmp_path):
    archive = tmp_path / "class.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for name in (
            "Ada L_1_assignsubmission_file_/a.ipynb",
            "Ben_2_assignsubmission_file_/../../../b.ipynb",
            "/c.ipynb",
        ):
            zipped.writestr(name, EMPTY)
    assert class_list.is_class(archive)
    class_list.unpack_class(archive, tmp_path / "into")
    assert persons(tmp_path / "into") == {"Ada L": ["a.ipynb"], "Ben": ["b.ipynb"], "c": ["c.ipynb"]}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["class.zip", "into"]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (
            "First name,Last name,ID number,Email address\nAda,Lovelace,4711,ada@example.org\nBen,Ng,12,ben@example.org\n",
            "utf-8-sig",
        ),
        ("Name;id\nLovelace, Ada;4711\nNg, Ben;12\n", "utf-16"),
        ("Student\tSIS Login ID\nAda Lovelace\tada\nBen Ng\tben\n", "utf-8"),
    ],
)
def test_the_roster_names_everybody_once(tmp_path, text, encoding):
    (tmp_path / "roster.csv").write_text(text, encoding=encoding)
    class_ = lay_out(tmp_path / "class", "ada lovelace/a.ipynb", "a/b.ipynb", "lovelaceada_7_9_x.ipynb")
    found = class_list.match(
        class_list.people(class_, set()), class_list.read_roster(tmp_path / "roster.csv")
    )
    ada, ben, stranger = found
    assert [len(ada.files), ada.problems] == [2, []]
    assert ben.problems == ["Nothing was handed in."]
    assert (stranger.label, stranger.notes) == ("a", ["not in the roster"])  # no part of a name is a name


def test_a_roster_without_headings_is_refused_and_a_doubtful_name_is_nobodys(tmp_path):
    roster = tmp_path / "roster.csv"
    roster.write_text("Ada,1\nBen,2\n")
    with pytest.raises(ValueError, match="its first line needs headings such as name"):
        class_list.read_roster(roster)
    roster.write_text("name,id\nAda,1\nAda,2\n")
    class_ = lay_out(tmp_path / "class", "Ada/a.ipynb", "Ada_2_assignsubmission_file_/b.ipynb")
    first, second, third = class_list.match(class_list.people(class_, set()), class_list.read_roster(roster))
    assert [len(first.files), len(second.files), third.notes] == [0, 1, ["not in the roster"]]


def test_equal_is_not_alike():
    assert class_list.same(" ADA  Lovelace", "ada lovelace")
    assert class_list.same("Jose\u0301", "José")
    assert not class_list.same("a", "ada")
    assert not class_list.same("", "")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_notebooks_in_every_unicode(encoding):
    text = json.dumps({"cells": [{"cell_type": "code", "source": ["x = 'é'\r\n", "y"]}]}, ensure_ascii=False)
    assert unpack.read_cells("a", text.encode(encoding)) == [
        {"source": "x = 'é'\ny", "grade_id": None, "code": True}
    ]


def test_the_form_of_before_2014():
    old = {"worksheets": [{"cells": [{"cell_type": "code", "input": "x = 1"}]}]}
    assert unpack.read_cells("a", json.dumps(old).encode())[0]["source"] == "x = 1"


@pytest.mark.parametrize(
    "raw", [b"", b"  ", b"{", b"[1]", b"[" * 10**5, b"\xff" * 99, b'{"cells": 3}', b'{"cells": [[]]}']
)
def test_what_is_no_notebook_says_so(raw):
    with pytest.raises(unpack.Unreadable, match=r"a\.ipynb is (empty|damaged or not a notebook)"):
        unpack.read_cells("a.ipynb", raw)


def test_zips_are_unfolded_within_bounds(tmp_path, monkeypatch):
    monkeypatch.setattr(unpack, "LARGEST_FILE", 1000)
    archive = tmp_path / "a.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("x/a.ipynb", EMPTY)
        zipped.writestr("x/__MACOSX/a.ipynb", b"")
        zipped.writestr("readme.txt", b"")
        zipped.writestr("bomb.ipynb", b"0" * 10**6)
    raw = archive.read_bytes()
    assert unpack.unfold("a.zip", raw) == [
        ("a.zip/x/a.ipynb", EMPTY),
        ("a.zip/bomb.ipynb", "a.zip/bomb.ipynb is larger than 0 MB"),
    ]
    assert unpack.unfold("a.ipynb", raw)[0] == ("a.ipynb/x/a.ipynb", EMPTY)  # a zip by another name
    assert unpack.unfold("a.zip", raw[:200]) == [("a.zip", "a.zip is damaged or no zip (BadZipFile)")]
    assert unpack.unfold("a.ipynb", EMPTY) == [("a.ipynb", EMPTY)]
