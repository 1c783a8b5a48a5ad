"""One address in one place: every link to the course agrees with pyproject.toml, and `make address` moves them all."""

import re
import shutil
import subprocess

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


def test_links_and_cells_name_the_release_or_between_releases_the_branch():
    for path, text in texts():
        repository = re.escape(PROJECT["repository"])
        for ref in re.findall(rf"{repository}(?:/(?:blob|tree|raw)/|@)([^/\s)\\\"]+)", text):
            assert ref == PROJECT["ref"], path


def test_a_version_in_work_stands_for_the_branch_and_a_release_for_its_tag(book):
    for version, ref in (("1.2.3.dev0", PROJECT["branch"]), ("1.2.3", "v1.2.3")):
        address.set_in_pyproject("version", version)
        assert notebooks.project()["ref"] == ref
        assert f'/every-pixel@{ref}"' in address.first_cell()
        assert f"/blob/{ref}/chapters" in notebooks.colab_link("chapters/06_unet.ipynb")


def test_the_site_s_settings_hold_no_address():
    assert "github.com" not in (notebooks.ROOT / "_config.yml").read_text(encoding="utf-8")


def test_the_package_is_of_this_release():
    from importlib.metadata import version

    assert version("segnb") == PROJECT["version"]


def test_readme_s_table_shows_the_chapters_that_exist():
    readme = (notebooks.ROOT / "README.md").read_text(encoding="utf-8")
    assert address.with_table(readme, address.chapter_table()) == readme, "run make address"
    for path in notebooks.find("chapter"):
        link = f"chapters/{path.name}"
        assert f"]({notebooks.colab_link(link) if notebooks.repository_url() else link})" in readme


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
    changed = {path.name for path in address.move("you/my-pixels")}
    assert changed == {"README.md", "CITATION.cff", "how_to_use.md", "06_unet.ipynb"}
    everything = "".join(path.read_text(encoding="utf-8") for path in book.rglob("*.*"))
    assert f"/{old}" not in everything
    readme = (book / "README.md").read_text(encoding="utf-8")
    assert (
        f"colab.research.google.com/github/you/my-pixels/blob/{PROJECT['ref']}/chapters/06_unet.ipynb"
        in readme
    )
    assert "git clone https://github.com/you/my-pixels\n" in readme
    notebook = notebooks.read(book / "chapters" / "06_unet.ipynb")
    assert f"github.com/you/my-pixels/blob/{PROJECT['ref']}/README.md" in notebook.cells[0].source
    assert notebook.cells[1].source == address.first_cell()
    assert f"github.com/you/my-pixels@{PROJECT['ref']}" in address.first_cell()
    assert address.move("you/my-pixels") == []  # and leaves well alone


def test_make_address_says_where_the_site_is(book):
    assert notebooks.project()["site"] == PROJECT["site"]
    changed = address.move(site="https://you.github.io/every-pixel")
    assert notebooks.project()["site"] == "https://you.github.io/every-pixel/"
    assert "CITATION.cff" in {path.name for path in changed}
    address.move(site="")
    assert notebooks.project()["site"] == ""


def run(monkeypatch, *words):
    monkeypatch.setattr("sys.argv", ["address", *words])
    return address.main()


@pytest.mark.parametrize(
    "remote",
    ["https://github.com/you/pixels.git", "git@github.com:you/pixels", "ssh://git@github.com/you/pixels.git"],
)
def test_make_address_asks_git_s_remote_and_takes_the_pages_of_what_it_finds(
    book, monkeypatch, capsys, remote
):
    for words in (["init", "--quiet"], ["remote", "add", "origin", remote]):
        subprocess.run(["git", *words], cwd=book, check=True)
    assert run(monkeypatch) == 0
    assert notebooks.project()["repository"] == "you/pixels"
    assert notebooks.project()["site"] == "https://you.github.io/pixels/"
    assert "lives at https://github.com/you/pixels, its site at https://you" in capsys.readouterr().out
    run(monkeypatch, "--site", "none")
    assert notebooks.project()["site"] == ""
    run(monkeypatch)  # an address that stays brings no site back
    assert notebooks.project()["site"] == ""


def test_a_remote_elsewhere_sets_nothing_and_the_report_says_what_to_do(book, monkeypatch, capsys):
    for words in (["init", "--quiet"], ["remote", "add", "origin", str(book)]):
        subprocess.run(["git", *words], cwd=book, check=True)
    address.set_in_pyproject("repository", "OWNER/every-pixel")
    before = (book / "pyproject.toml").read_text(encoding="utf-8")
    for words in ([], ["--report"]):
        assert run(monkeypatch, *words) == 0
        assert capsys.readouterr().out.splitlines()[-1].startswith("No address is set, ")
    assert (book / "pyproject.toml").read_text(encoding="utf-8") == before


def test_pages_of_a_repository():
    assert address.pages_of("You/every-pixel") == "https://you.github.io/every-pixel/"
    assert address.pages_of("You/you.github.io") == "https://you.github.io/"


@pytest.mark.parametrize("wrong", ["you.github.io/every-pixel", "https://", 'https://a"b', "ftp://a/b"])
def test_what_is_no_address_of_a_site_is_refused(book, wrong):
    with pytest.raises(ValueError, match="no address of a site"):
        address.set_site(wrong)


@pytest.mark.parametrize("old", ["v0.0.9", "main"])
@pytest.mark.parametrize("new", ["v1.2.3", "main"])
def test_a_new_release_moves_install_lines_and_links(old, new):
    text = "pip install git+https://github.com/you/x@{0} https://github.com/you/x/blob/{0}/a https://github.com/me/x@{1}"
    fresh = address.readdress(text.format(old, "v0.0.1"), "you/x", "you/x", new, "main")
    assert fresh == text.format(new, "v0.0.1")


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
    assert address.readdress(text, PROJECT["repository"], "you/x", "v0.1.0", "main") == text
