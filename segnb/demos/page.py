"""How a demo becomes one self-contained piece of HTML."""

from importlib.resources import files

from ..show import style
from ..show.live import WHERE, Live, identifier, quoted

_PAGE = """<div id="{id}" class="{kind}" role="group" aria-label="{label}">
<style>{css}</style>
{still}
<script>
(function () {{
{kit}
{demo}
for (const root of document.querySelectorAll('[id="{id}"]')) {{
  if (root.demo) continue;
  root.querySelector(".ep-still")?.remove();
  root.demo = demo(root, {options});
}}
}})();
</script>
</div>"""


def page(script, label, still, *, name=None, **options):
    """Wrap the demo in `script`.js. → `Live`

    `label`: what it is, in a few words. `still`: the `Picture` that stands there where scripts do not run (GitHub, a
    notebook not yet trusted, paper); its alt text stands below it. `name`: part of the element's id, needed only where
    a page holds the demo twice. `options` reach the JavaScript as an object, together with the book's colours.
    """
    from base64 import b64encode
    from html import escape

    width = round(still.figure.get_figwidth() * style.SHOWN)
    image = f'<img alt="{escape(still.alt)}" src="data:image/png;base64,{b64encode(still.png).decode()}"'
    html = wrapped(
        script,
        "-".join(["ep-demo", script, *([identifier(name)] if name else [])]).replace("_", "-"),
        label,
        f'<div class="ep-still">{image} width="{width}"><p>{escape(still.alt)} {escape(WHERE)}</p></div>',
        options={"colours": style.COLOURS, "wrong": style.ERROR, **options},
    )
    return Live(html, f"{label}: {still.alt}", still.png, width)


def wrapped(script, id, label, still, *, options, kind="ep-demo", css="kit.css"):
    """The HTML of an element `id` of class `kind`: a style sheet, `still` for where no scripts run, kit.js, `script`.js."""
    from html import escape

    folder = files(__package__)
    return _PAGE.format(
        id=id,
        kind=kind,
        label=escape(label),
        css=folder.joinpath(css).read_text("utf-8"),
        still=still,
        kit=folder.joinpath("kit.js").read_text("utf-8"),
        demo=folder.joinpath(f"{script}.js").read_text("utf-8"),
        options=quoted(options),
    )
