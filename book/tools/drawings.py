"""On the site a picture is the SVG that its notebook keeps, in the colours of the page; elsewhere it is its PNG.

A picture's SVG stands in the metadata of the output (`segnb.show.vector`), where nothing but this looks. On the page it
takes the place of the PNG, which stays what its link leads to and what its windows show.
"""

import base64
import hashlib
import re

from book.tools import notebooks
from segnb.show.vector import OWN, PNG

IMAGE = re.compile(r'<img alt="([^"]*)" src="([^"]*/([0-9a-f]{64})\.png)"( style="[^"]*")? ?/>')

ID = re.compile(rf'(?<=id="){OWN}|(?<=#){OWN}')


def kept(page: str) -> dict[str, str]:
    """SHA-256 of a picture's PNG, which is its file's name on the site → its SVG: for the notebook shown on `page`."""
    path = notebooks.ROOT / f"{page}.ipynb"
    if not path.exists():
        return {}
    pictures = [
        output for cell in notebooks.code_cells(notebooks.read(path)) for output in notebooks.pictures(cell)
    ]
    return {
        hashlib.sha256(base64.b64decode(output.data["image/png"])).hexdigest(): output.metadata.segnb.svg
        for output in pictures
        if "segnb" in output.metadata
    }


def drawn(body: str, page: str) -> str:
    """The page with its pictures drawn in its own colours."""
    drawings = kept(page)

    def draw(image: re.Match) -> str:
        alt, address, name, width = image.groups(default="")
        if name not in drawings:
            return image[0]
        # Two drawings on a page have nothing in common, not even the ids of their parts; words in them stay.
        svg = ID.sub(f"{OWN}{name[:8]}-", drawings[name]).replace(f'href="{PNG}"', f'href="{address}"')
        return svg.replace("<svg", f'<svg class="ep-picture" role="img" aria-label="{alt}"{width}', 1)

    return IMAGE.sub(draw, body) if drawings else body
