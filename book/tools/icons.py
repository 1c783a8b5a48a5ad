"""The dozen icons that the site's pages show, as a style sheet of a few kilobytes instead of the theme's 1.5 MB of script.

The drawings are Font Awesome's (CC BY 4.0), read at build time out of the theme's own copy.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

CLASS = re.compile(r'class="[^"]*\bfa(?:s|b|r|-solid|-brands|-regular)\b[^"]*"')
NAME = re.compile(r"\bfa-([a-z0-9-]+)")
# Of Font Awesome's script: "rocket":[512,512,[],"f135","M156..."], the name without quotes where it needs none.
DRAWING = r'(?<![\w"-])"?{}"?:\[(\d+),(\d+),\[[^\]]*\],"[0-9a-f]+","([^"]+)"\]'
LAYOUT = """\
/* Font Awesome Free by @fontawesome, https://fontawesome.com, CC BY 4.0: the icons of this site. */
:is(.fa-solid, .fa-brands, .fa-regular, .fas, .fab, .far) {
  display: inline-block;
  width: 1.1em;
  height: 1em;
  vertical-align: -0.125em;
  background: currentColor;
  mask: var(--icon) center / contain no-repeat;
}
.fa-lg { font-size: 1.25em; }
@media (forced-colors: active) { :is(.fa-solid, .fa-brands, .fa-regular, .fas, .fab, .far) { background: ButtonText; } }
"""


def used(pages: Iterable[str]) -> set[str]:
    """The names of the icons in these pages' HTML, modifiers of size and style included."""
    return {name for page in pages for found in CLASS.findall(page) for name in NAME.findall(found)}


def style_sheet(names: Iterable[str], script: Path) -> str:
    """CSS that draws these icons in the colour of the text; names that are no icons are left out.

    script: the theme's `fontawesome.js`. ``ValueError`` if it holds none of the names: then it is made otherwise than we read it.
    """
    text = script.read_text(encoding="utf-8")
    rules = []
    for name in sorted(names):
        if drawing := re.search(DRAWING.format(re.escape(name)), text):
            width, height, path = drawing.groups()
            svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"><path d="{path}"/></svg>'
            rules.append(f'.fa-{name} {{ --icon: url("data:image/svg+xml,{quote(svg)}"); }}')
    if names and not rules:
        raise ValueError(f"{script} has no drawing of {sorted(names)}")
    return LAYOUT + "\n".join(rules) + "\n"
