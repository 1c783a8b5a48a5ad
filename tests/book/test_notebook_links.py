"""Links of notebooks: relative for whoever edits them, to the site once it has an address, none dead in a lone sheet."""

import re

import nbformat
import pytest

from book.tools import links, notebooks

SITE = "https://you.github.io/every-pixel/"
WORD = (
    "a [logit](../book/glossary.md#logits), [chapter 2](02_measuring_masks.ipynb), [them](https://x.org/a.md)"
)


def test_pages_are_linked_on_the_site_and_back_again():
    out = links.outward(WORD, "chapters", SITE)
    assert f"[logit]({SITE}book/glossary.html#logits)" in out
    assert "[chapter 2](02_measuring_masks.ipynb), [them](https://x.org/a.md)" in out
    assert links.inward(out, "chapters", SITE, notebooks.ROOT) == WORD
    assert links.outward(WORD, "chapters", "") == WORD
    assert (
        links.inward(f"[x]({SITE}nowhere.html)", "chapters", SITE, notebooks.ROOT)
        == f"[x]({SITE}nowhere.html)"
    )


def test_a_lone_sheet_has_links_that_work_or_none():
    sheet = "Read [chapter 4](../04_dice.ipynb), `a[0](b)`, [them](https://x.org)."
    there = f"Read [chapter 4]({SITE}chapters/04_dice.html), `a[0](b)`, [them](https://x.org)."
    assert links.alone(sheet, "chapters/exercises", SITE, None) == there
    assert links.inward(there, "chapters/exercises", SITE, notebooks.ROOT) == sheet
    colab = links.alone(sheet, "chapters/exercises", "", lambda path: f"https://colab/{path}")
    assert "[chapter 4](https://colab/chapters/04_dice.ipynb)" in colab
    assert links.alone(sheet, "chapters/exercises", "", None) == sheet.replace(
        "[chapter 4](../04_dice.ipynb)", "chapter 4"
    )


@pytest.mark.parametrize("path", notebooks.find("sheet"), ids=lambda path: path.stem)
def test_no_link_of_a_sheet_needs_a_file_beside_it(path):
    text = notebooks.markdown(nbformat.read(path, as_version=4))
    assert [
        target for target in re.findall(r"\]\(([^()\s]+\.(?:md|ipynb)[^()\s]*)\)", text) if ":" not in target
    ] == []


def test_what_tools_read_is_relative_and_what_they_write_leads_to_the_site(tmp_path, monkeypatch):
    for name in ("book", "chapters"):
        (tmp_path / name).mkdir()
    (tmp_path / "book" / "glossary.md").touch()
    settings = (notebooks.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text(
        re.sub(r'^site = ".*"', f'site = "{SITE}"', settings, flags=re.M)
    )
    monkeypatch.setattr(notebooks, "ROOT", tmp_path)
    path = tmp_path / "chapters" / "06_unet.ipynb"
    cell = nbformat.v4.new_markdown_cell("[a](../book/glossary.md#b)")
    notebooks.write(nbformat.v4.new_notebook(cells=[cell]), path)
    assert f"[a]({SITE}book/glossary.html#b)" in path.read_text()
    assert notebooks.read(path).cells[0].source == "[a](../book/glossary.md#b)"
    assert cell.source == "[a](../book/glossary.md#b)"
