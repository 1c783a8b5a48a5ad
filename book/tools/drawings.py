"""On the site a picture is the SVG that its notebook keeps, in the colours of the page; elsewhere it is its PNG.

A picture's SVG stands in the metadata of the output (`segnb.show.vector`), where nothing but this looks. On the page it
takes the place of the PNG, which stays what its link leads to and what its windows show. So do the SVGs of a player's
frames, whose pictures are in the page itself.
"""

import base64
import hashlib
import re

from book.tools import notebooks
from segnb.show.vector import OWN, PNG

IMAGE = re.compile(r'<img alt="([^"]*)" src="([^"]*/([0-9a-f]{64})\.png)"( style="[^"]*")? ?/>')
FRAME = re.compile(r'<img src="(data:image/\w+;base64,[^"]+)" alt="([^"]*)" width="(\d+)" style="[^"]*">')
ID = re.compile(rf'(?<=id="){OWN}|(?<=#){OWN}')


def kept(page: str) -> dict[str, str]:
    """The drawings of the notebook shown on `page`, by what they take the place of.

    Of a picture that is the SHA-256 of its PNG, which is its file's name on the site; of a player's frame its data URL.
    """
    path = notebooks.ROOT / f"{page}.ipynb"
    cells = notebooks.code_cells(notebooks.read(path)) if path.exists() else ()
    drawings = {}
    for output in (output for cell in cells for output in cell.outputs):
        own = output.get("metadata", {}).get("segnb", {})
        if "svg" in own:
            drawings[hashlib.sha256(base64.b64decode(output.data["image/png"])).hexdigest()] = own.svg
        if "frames" in own:
            frames = (frame[1] for frame in FRAME.finditer(output.data["text/html"]))
            drawings |= zip(frames, own.frames, strict=True)
    return drawings


def drawn(body: str, page: str) -> str:
    """The page with its pictures drawn in its own colours."""
    drawings = kept(page)

    def draw_picture(image: re.Match) -> str:
        alt, address, name, style = image.groups(default="")
        return _drawing(drawings[name], name, address, alt, style) if name in drawings else image[0]

    def draw_frame(image: re.Match) -> str:
        address, alt, width = image.groups()
        name = hashlib.sha256(address.encode()).hexdigest()
        style = f' style="width: {width}px"'
        return _drawing(drawings[address], name, address, alt, style) if address in drawings else image[0]

    return FRAME.sub(draw_frame, IMAGE.sub(draw_picture, body)) if drawings else body


def _drawing(svg, name, address, alt, style):
    # Two drawings on a page have nothing in common, not even the ids of their parts; words in them stay.
    svg = ID.sub(f"{OWN}{name[:8]}-", svg).replace(f'href="{PNG}"', f'href="{address}"')
    return svg.replace("<svg", f'<svg class="ep-picture" role="img" aria-label="{alt}"{style}', 1)
