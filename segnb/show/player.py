"""A slider through pictures that needs no kernel: for the site, Colab and a notebook that was only opened."""

from collections.abc import Sequence

import numpy as np

from . import style
from .figures import Picture, draw
from .live import WHERE, Live, identifier, quoted

# Without scripts (GitHub, a notebook not yet trusted) the first frame stands there, with its caption and a slider that
# says by being disabled that it cannot move. Colours are inherited, so the page decides between light and dark.
_PAGE = """<div id="{id}" class="ep-player" role="group" aria-label="{label}" style="max-width:{width}px">
<img src="{source}" alt="{alt}" width="{width}" style="max-width:100%;height:auto;{pixels}">
<div style="display:flex;gap:0.6em;align-items:center;margin-top:0.3em">{button}
<input type="range" min="0" max="{last}" value="0" step="1" disabled aria-label="{label}: picture"
 style="flex:1;min-width:8em;height:1.8em;accent-color:#1468b3;accent-color:light-dark(#1468b3,#7fb8ea)"></div>
<output aria-live="polite" style="display:block;min-height:1.5em">{caption}</output>
<p class="ep-still">{told}</p>
<script>
(function () {{
  const frames = {frames}, alts = {alts}, captions = {captions}, pause = {pause};
  for (const root of document.querySelectorAll('[id="{id}"]')) {{
    if (root.dataset.alive) continue;
    root.dataset.alive = "yes";
    root.querySelector(".ep-still").remove();
    const image = root.querySelector("img"), slider = root.querySelector("input");
    const button = root.querySelector("button"), caption = root.querySelector("output");
    let timer = null;
    const stop = function () {{
      clearInterval(timer); timer = null;
      if (button) button.textContent = "Play";
    }};
    const show = function (i) {{
      slider.value = i;
      slider.setAttribute("aria-valuetext", alts[i]);
      image.src = frames[i]; image.alt = alts[i];
      caption.textContent = captions[i];
    }};
    slider.disabled = false;
    slider.addEventListener("input", function () {{ stop(); show(Number(slider.value)); }});
    if (button) {{
      button.disabled = false;
      button.addEventListener("click", function () {{
        if (timer) return stop();
        if (Number(slider.value) === frames.length - 1) show(0);
        button.textContent = "Pause";
        timer = setInterval(function () {{
          if (Number(slider.value) === frames.length - 1) stop(); else show(Number(slider.value) + 1);
        }}, pause);
      }});
    }}
    show(0);
  }}
}})();
</script>
</div>"""
_BUTTON = '<button type="button" disabled style="min-width:5em;min-height:2em">Play</button>'


def player(frames, alts, *, captions=None, fps=None, name=None, data=None, label="Pictures in turn"):
    """Pictures in turn under a slider, which needs neither a kernel nor the network. → an object for the cell's output

    `frames`: `Picture` objects, PIL images, or tensors and arrays as `compare` draws them (integer masks need `data`);
    smaller ones are set on paper of the largest size. `alts`: one sentence a frame that says what there is to see.
    `captions`: the short line below each (default "1 of 9"). `fps`: adds a Play button at that many frames a second.
    `name`: makes the element's id; needed only when a page holds the same player twice. `label`: what the slider moves
    through, for screen readers.
    ``ValueError`` if a frame has no alt text or caption of its own.
    """
    from html import escape

    frames, alts = list(frames), list(alts)
    captions = captions or [f"{i} of {len(frames)}" for i in range(1, len(frames) + 1)]
    if (
        not frames
        or len(alts) != len(frames)
        or not all(isinstance(alt, str) and alt.strip() for alt in alts)
    ):
        raise ValueError(
            f"{len(frames)} frames and {len(alts)} alt texts: give each frame one sentence of its own"
        )
    if len(captions) != len(frames):
        raise ValueError(f"{len(frames)} frames and {len(captions)} captions: give one each")
    cells = [_pixels(frame, data, i) for i, frame in enumerate(frames)]
    if isinstance(frames[0], Picture):
        width = round(max(frame.figure.get_figwidth() for frame in frames) * style.SHOWN)
    else:
        tall = max(cell.shape[0] / cell.shape[1] for cell in cells)
        width = round(min(style.WIDTH, 3.4 / tall) * style.SHOWN)
    cells = list(_equal(cells))
    sources = [_source(cell) for cell in cells]
    page = _PAGE.format(
        id="ep-player-" + (identifier(name) if name else _fingerprint(sources, alts, captions)),
        label=escape(label),
        width=width,
        source=sources[0],
        alt=escape(alts[0]),
        pixels="image-rendering:pixelated" if cells[0].shape[1] < width else "",
        button=_BUTTON if fps else "",
        last=len(frames) - 1,
        caption=escape(captions[0]),
        told=escape(f"{label}, the first of {len(frames)}: {alts[0].rstrip('.')}. {WHERE}"),
        frames=quoted(sources),
        alts=quoted(alts),
        captions=quoted(list(captions)),
        pause=round(1000 / fps) if fps else 0,
    )
    words = f"{label}: {'; '.join(alt.rstrip('.') for alt in alts)}."
    return Live(page, words, style.encode(cells[0]), width)


def _pixels(frame, data, i):
    """Any kind of frame → H×W×3 uint8."""
    if isinstance(frame, Picture):
        return frame.pixels
    if hasattr(frame, "convert"):  # a PIL image
        return np.asarray(frame.convert("RGB"))
    return draw(frame, data, what=f"frame {i}")


def _equal(cells: Sequence[np.ndarray]):
    """Frames on paper of one size, so that the page does not jump."""
    height, width = np.max([cell.shape[:2] for cell in cells], axis=0)
    for cell in cells:
        sheet = np.empty((height, width, 3), dtype=np.uint8)
        sheet[:] = [int(style.PAPER[i : i + 2], 16) for i in (1, 3, 5)]
        sheet[: cell.shape[0], : cell.shape[1]] = cell
        yield sheet


def _source(cell):
    """The smallest fair file of a frame, as a data URL: lossy only where that saves half and the frame is large."""
    import io
    from base64 import b64encode

    from PIL import Image

    png = style.encode(cell)
    exact, lossy = io.BytesIO(), io.BytesIO()
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.save(exact, format="WEBP", lossless=True, quality=80, method=4)
    kind, best = min(("png", png), ("webp", exact.getvalue()), key=lambda file: len(file[1]))
    if len(best) > 30_000:
        Image.fromarray(cell).save(lossy, format="WEBP", quality=88, method=4)
        if len(lossy.getvalue()) < len(best) / 2:
            kind, best = "webp", lossy.getvalue()
    return f"data:image/{kind};base64,{b64encode(best).decode()}"


def _fingerprint(*parts):
    from hashlib import sha256

    return sha256(repr(parts).encode()).hexdigest()[:10]
