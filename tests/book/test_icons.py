"""The site's icons as a style sheet."""

import pytest

from book.tools import icons

SCRIPT = 'x={rocket:[512,384,[],"f135","M1 2z"],"angle-left":[320,512,[8249],"f104","M3 4z"],"my-list":[1,2,[],"f0","M9z"]}'


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "fontawesome.js"
    path.write_text(SCRIPT, encoding="utf-8")
    return path


def test_only_what_is_used_is_drawn(script):
    names = icons.used(
        ['<i class="fas fa-rocket fa-lg"></i><b class="fa-fake"></b>', '<i class="x fa-solid fa-angle-left">']
    )
    assert names == {"rocket", "lg", "angle-left", "solid"}
    sheet = icons.style_sheet(names, script)
    assert "M1%202z" in sheet
    assert "0%200%20512%20384" in sheet
    assert ".fa-angle-left {" in sheet
    assert ".fa-solid {" not in sheet
    assert "M9z" not in sheet


def test_a_name_is_not_taken_for_the_end_of_another(script):
    with pytest.raises(ValueError, match="has no drawing"):
        icons.style_sheet({"list"}, script)
