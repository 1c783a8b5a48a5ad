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
    """SHA-256 of a picture's PNG, which is its file's name on the site → its SVG: for the notebook shown on `page`."""
    return {
        hashlib.sha256(base64.b64decode(output.data["image/png"])).hexdigest(): output.metadata.segnb.svg
        for output in _outputs(page, "svg")
    }


def kept_frames(page: str) -> dict[str, str]:
    """A frame's picture, a data URL → its SVG: for the players of the notebook shown on `page`."""
    return {
        frame[1]: svg
        for output in _outputs(page, "frames")
        for frame, svg in zip(
            FRAME.finditer(output.data["text/html"]), output.metadata.segnb.frames, strict=True
        )
    }


def _outputs(page, kept):
    """Outputs of the notebook shown on `page` that keep drawings of this kind."""
    path = notebooks.ROOT / f"{page}.ipynb"
    cells = notebooks.code_cells(notebooks.read(path)) if path.exists() else ()
    outputs = (output for cell in cells for output in cell.outputs)
    return [output for output in outputs if kept in output.get("metadata", {}).get("segnb", {})]


def drawn(body: str, page: str) -> str:
    """The page with its pictures drawn in its own colours."""
    pictures, frames = kept(page), kept_frames(page)

    def draw_picture(image: re.Match) -> str:
        alt, address, name, style = image.groups(default="")
        return _drawing(pictures[name], name, address, alt, style) if name in pictures else image[0]

    def draw_frame(image: re.Match) -> str:
        address, alt, width = image.groups()
        name = hashlib.sha256(address.encode()).hexdigest()
        style = f' style="width: {width}px"'
        return _drawing(frames[address], name, address, alt, style) if address in frames else image[0]

    body = IMAGE.sub(draw_picture, body) if pictures else body
    return FRAME.sub(draw_frame, body) if frames else body


def _drawing(svg, name, address, alt, style):
    # Two drawings on a page have nothing in common, not even the ids of their parts; words in them stay.
    svg = ID.sub(f"{OWN}{name[:8]}-", svg).replace(f'href="{PNG}"', f'href="{address}"')
    return svg.replace("<svg", f'<svg class="ep-picture" role="img" aria-label="{alt}"{style}', 1)
