"""One address in one place: every link to the course agrees with pyproject.toml, and `make address` moves them all."""

import re
import shutil

import nbformat
import pytest

from book.tools import address, notebooks

PROJECT = notebooks.project()
NAME = PROJECT["repository"].split("/")[1]


def texts():
    """(file, text) of everything a reader may see an address in."""
    yield from ((path, path.read_text(encoding="utf-8")) for path in address.texts())
    yield from ((path, path.read_text(encoding="utf-8")) for path in notebooks.find())


def test_every_link_to_the_course_has_its_address():
    seen = 0
    for path, text in texts():
        found = address.addresses(text, NAME)
        assert found <= {PROJECT["repository"]}, path
        seen += len(found)
    assert seen >= 2  # README and how_to_use say where to clone from


def test_links_to_the_course_name_its_branch_and_release():
    for path, text in texts():
        repository = re.escape(PROJECT["repository"])
        for branch in re.findall(rf"{repository}/(?:blob|tree|raw)/([^/\s)\"]+)", text):
            assert branch == PROJECT["branch"], path
        for version in re.findall(rf"{repository}@v([\d.]*\d)", text):
            assert version == PROJECT["version"], path


def test_the_site_s_settings_hold_no_address():
    assert "github.com" not in (notebooks.ROOT / "_config.yml").read_text(encoding="utf-8")


def test_the_package_is_of_this_release():
    from importlib.metadata import version

    assert version("segnb") == PROJECT["version"]


def test_readme_s_table_shows_the_chapters_that_exist():
    readme = (notebooks.ROOT / "README.md").read_text(encoding="utf-8")
    assert address.with_table(readme, address.chapter_table()) == readme, "run make address"
    for path in notebooks.find("chapter"):
        assert notebooks.colab_link(f"chapters/{path.name}") in readme


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A small book of its own: README, two pages and one notebook."""
    (tmp_path / "book").mkdir()
    (tmp_path / "chapters").mkdir()
    for name in (
        "pyproject.toml",
        "LICENSE",
        "README.md",
        "CITATION.cff",
        "book/index.md",
        "book/how_to_use.md",
    ):
        shutil.copy(notebooks.ROOT / name, tmp_path / name)
    link = f"[here](https://github.com/{PROJECT['repository']}/blob/main/README.md)"
    cells = [nbformat.v4.new_markdown_cell(link), nbformat.v4.new_code_cell("old = 'cell'")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "chapters" / "06_unet.ipynb")
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    return tmp_path


def test_make_address_moves_everything(book):
    old = PROJECT["repository"]
    address.set_repository("you/my-pixels")
    changed = {path.name for path in address.write(old)}
    assert changed == {"README.md", "CITATION.cff", "how_to_use.md", "06_unet.ipynb"}
    everything = "".join(path.read_text(encoding="utf-8") for path in book.rglob("*.*"))
    assert f"/{old}" not in everything
    readme = (book / "README.md").read_text(encoding="utf-8")
    assert "colab.research.google.com/github/you/my-pixels/blob/main/chapters/06_unet.ipynb" in readme
    assert "git clone https://github.com/you/my-pixels\n" in readme
    notebook = notebooks.read(book / "chapters" / "06_unet.ipynb")
    assert "github.com/you/my-pixels/blob/main/README.md" in notebook.cells[0].source
    assert notebook.cells[1].source == address.first_cell()
    assert f"github.com/you/my-pixels@v{PROJECT['version']}" in address.first_cell()
    assert address.write("you/my-pixels") == []  # and leaves well alone


def test_make_address_says_where_the_site_is(book):
    assert notebooks.project()["site"] == PROJECT["site"]
    address.set_site("https://you.github.io/every-pixel")
    assert notebooks.project()["site"] == "https://you.github.io/every-pixel/"
    assert "CITATION.cff" in {path.name for path in address.write(PROJECT["repository"])}
    address.set_site("")
    assert notebooks.project()["site"] == ""


@pytest.mark.parametrize("wrong", ["you.github.io/every-pixel", "https://", 'https://a"b', "ftp://a/b"])
def test_what_is_no_address_of_a_site_is_refused(book, wrong):
    with pytest.raises(ValueError, match="no address of a site"):
        address.set_site(wrong)


def test_a_new_release_moves_the_install_lines(book):
    text = f"pip install git+https://github.com/{PROJECT['repository']}@v0.0.9"
    fresh = address.readdress(text, PROJECT["repository"], PROJECT["repository"], "1.2.3")
    assert fresh.endswith("@v1.2.3")


@pytest.mark.parametrize(
    "wrong", ["every-pixel", "https://github.com/you/every-pixel", "you/every pixel", "/x", "-a/b"]
)
def test_what_is_no_address_is_refused(book, wrong):
    before = (book / "pyproject.toml").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="OWNER/NAME"):
        address.set_repository(wrong)
    assert (book / "pyproject.toml").read_text(encoding="utf-8") == before


def test_repositories_with_longer_names_are_left_alone():
    text = f"https://github.com/{PROJECT['repository']}-solutions and https://github.com/other/{NAME}"
    assert address.readdress(text, PROJECT["repository"], "you/x", "0.1.0") == text
