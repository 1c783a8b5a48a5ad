"""A slider through pictures that needs no kernel: for the site, Colab and a notebook that was only opened."""

from collections.abc import Sequence

import numpy as np

from . import style, vector
from .figures import Picture, draw
from .live import Live, identifier

# All frames stand in the page as a contact sheet: that is what paper shows, and a page without scripts (GitHub, a
# notebook not yet trusted). With scripts, the screen shows one of them over a slider. Colours are inherited, so the page
# decides between light and dark.
_PAGE = """<div id="{id}" class="ep-player" role="group" aria-label="{label}" style="max-width:{width}px">
<style>
.ep-player .ep-bar {{ display: flex; gap: 0.6em; align-items: center; margin-top: 0.3em; }}
.ep-player .ep-bar button {{ min-width: 5em; min-height: 2em; font: inherit; color: inherit; background: transparent;
  border: 1px solid currentColor; border-radius: 0.3em; cursor: pointer; }}
.ep-player .ep-bar input {{ flex: 1; min-width: 7em; height: 1.8em; margin: 0;
  accent-color: #1468b3; accent-color: light-dark(#1468b3, #7fb8ea); }}
.ep-player .ep-bar :focus-visible {{ outline: 3px solid #d9760a; outline-offset: 2px; }}
.ep-player output {{ display: block; min-height: 1.5em; }}
@media screen {{ .ep-player.ep-alive .ep-sheet {{ display: none !important; }} }}
@media print {{
  .ep-player {{ max-width: none !important; }}
  .ep-player .ep-stage {{ display: none; }}
  .ep-player figure {{ break-inside: avoid; }}
}}
</style>
<div class="ep-sheet" style="display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,{least}px),1fr));gap:0.6em">
{sheet}
</div>
<script>
(function () {{
  for (const root of document.querySelectorAll('[id="{id}"]')) {{
    if (root.classList.contains("ep-alive")) continue;
    root.classList.add("ep-alive");
    const frames = [...root.querySelectorAll(".ep-sheet :is(img, svg)")], last = frames.length - 1;
    const captions = [...root.querySelectorAll(".ep-sheet figcaption")].map((words) => words.textContent);
    const add = (parent, tag, attributes) => parent.appendChild(Object.assign(document.createElement(tag), attributes));
    const stage = document.createElement("div");
    stage.className = "ep-stage";
    root.querySelector(".ep-sheet").before(stage);
    let image = stage.appendChild(document.createElement("i"));
    const bar = add(stage, "div", {{ className: "ep-bar" }});
    const button = add(bar, "button", {{ type: "button" }});
    const slider = add(bar, "input", {{ type: "range", min: 0, max: last, step: 1, value: 0 }});
    const caption = add(stage, "output", {{}}), name = root.getAttribute("aria-label");
    slider.setAttribute("aria-label", name + ": picture");
    // A drawing refers to its own parts, and those of a hidden one are not drawn: the copy's have names of their own.
    const copy = function (frame) {{
      const twin = frame.cloneNode(true), named = [...twin.querySelectorAll("[id]")];
      for (const part of [twin, ...twin.querySelectorAll("*")])
        for (const {{ name, value }} of [...part.attributes])
          if (named.some((one) => value === "#" + one.id || value === "url(#" + one.id + ")")) part.setAttribute(name, value.replace("#", "#shown-"));
      for (const part of named) part.id = "shown-" + part.id;
      return twin;
    }};
    let timer = null;
    const at = () => Number(slider.value);
    const show = function (i) {{
      slider.value = i;
      const frame = frames[at()];
      slider.setAttribute("aria-valuetext", frame.alt || frame.getAttribute("aria-label"));
      if (frame.src && image.src) {{ image.src = frame.src; image.alt = frame.alt; }}
      else image.replaceWith(image = copy(frame));
      caption.textContent = captions[at()];
    }};
    // While the pictures run, nobody reads out each of them; where they stop is said.
    const run = function (running) {{
      clearInterval(timer);
      timer = running ? setInterval(() => (at() === last ? run(false) : show(at() + 1)), {pause}) : null;
      button.textContent = running ? "Pause" : "Play";
      button.setAttribute("aria-label", button.textContent + ": " + name);
      caption.setAttribute("aria-live", running ? "off" : "polite");
      if (!running) caption.textContent = captions[at()];
    }};
    const toggle = function () {{
      if (!timer && at() === last) show(0);
      run(!timer);
    }};
    slider.addEventListener("input", function () {{ run(false); show(at()); }});
    button.addEventListener("click", toggle);
    // Space plays and pauses on the slider too; the arrows move on the button too.
    bar.addEventListener("keydown", function (event) {{
      const step = {{ ArrowLeft: -1, ArrowRight: 1 }}[event.key];
      if (event.target === slider && event.key === " ") toggle();
      else if (event.target === button && step) {{ run(false); show(at() + step); }}
      else return;
      event.preventDefault();
    }});
    run(false);
    show(0);
  }}
}})();
</script>
</div>"""
_FRAME = """<figure style="margin:0"><img src="{source}" alt="{alt}" width="{width}" style="max-width:100%;height:auto;{pixels}">
<figcaption>{caption}</figcaption></figure>"""


def player(frames, alts, *, captions=None, fps=1.0, name=None, data=None, label=None) -> Live:
    """Pictures in turn over a slider and a Play button, which need neither a kernel nor the network.

    On paper, and without scripts, all frames stand side by side.

    Args:
        frames: `Picture` objects, PIL images, or tensors and arrays as `compare` draws them (integer masks need
            `data`); smaller ones are set on paper of the largest size.
        alts: one sentence a frame that says what there is to see.
        captions: the short line below each; None: "1 of 9".
        fps: frames a second when played.
        name: makes the element's id; needed only when a page holds the same player twice.
        label: the player's name, for screen readers; None: from its first frame to its last, in the words of
            `captions` or else of `alts`.
    Raises: ValueError: a frame without an alt text or a caption of its own, `fps` not above 0.
    """
    from html import escape

    frames, alts = list(frames), list(alts)
    words = alts if captions is None else list(captions)
    captions = words if captions is not None else [f"{i} of {len(frames)}" for i in range(1, len(frames) + 1)]
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
    if not fps > 0:
        raise ValueError(f"fps={fps}; expected more than 0 frames a second")
    label = label or f"From {words[0].rstrip('.')} to {words[-1].rstrip('.')}"
    cells = [_pixels(frame, data, i) for i, frame in enumerate(frames)]
    if isinstance(frames[0], Picture):
        width = round(max(frame.figure.get_figwidth() for frame in frames) * style.SHOWN)
    else:
        tall = max(cell.shape[0] / cell.shape[1] for cell in cells)
        width = round(min(style.WIDTH, 3.4 / tall) * style.SHOWN)
    cells = list(_equal(cells))
    sources = [_source(cell) for cell in cells]
    pixels = "image-rendering:pixelated" if cells[0].shape[1] < width else ""
    sheet = [
        _FRAME.format(source=source, alt=escape(alt), caption=escape(caption), width=width, pixels=pixels)
        for source, alt, caption in zip(sources, alts, captions)
    ]
    page = _PAGE.format(
        id="ep-player-" + (identifier(name) if name else _fingerprint(sources, alts, captions)),
        label=escape(label),
        width=width,
        least=min(width, 200),
        sheet="\n".join(sheet),
        pause=round(1000 / fps),
    )
    words = f"{label}: {'; '.join(alt.rstrip('.') for alt in alts)}."
    return Live(page, words, _still(cells[0], width), width, _drawings(frames))


def _drawings(frames):
    """Charts of one size as SVG, where a notebook keeps that."""
    charts = all(isinstance(frame, Picture) for frame in frames)
    if vector.wanted() and charts and len({frame.pixels.shape for frame in frames}) == 1:
        return [frame.svg for frame in frames]
    return None


def _still(cell, width):
    """The first frame where nothing moves: a small one with its pixels enlarged, to twice the width it is shown at."""
    times = max(1, round(2 * width / cell.shape[1]))
    return style.encode(cell.repeat(times, 0).repeat(times, 1))


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
