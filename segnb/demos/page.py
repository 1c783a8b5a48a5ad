"""How a demo becomes one self-contained piece of HTML."""

from importlib.resources import files

from ..show import style
from ..show.live import WHERE, Live, identifier, quoted

_PAGE = """<div id="{id}" class="{kind}" role="group" aria-label="{label}">
<style>{css}</style>
{still}
<script>
(function () {{
{script}
for (const root of document.querySelectorAll('[id="{id}"]')) {{
  if (root.demo) continue;
  root.querySelector(".ep-still")?.remove();
  root.demo = demo(root, {options});
}}
}})();
</script>
</div>"""


def page(script, label, still, *, name=None, parts=(), **options) -> Live:
    """Wrap the demo in `script`.js. → `Live`

    `label`: what it is, in a few words. `still`: the `Picture` that stands there where scripts do not run (GitHub, a
    notebook not yet trusted, paper); its alt text stands below it. `name`: part of the element's id, needed only where
    a page holds the demo twice. `parts`: more files of JavaScript that it needs; styles of its own stand in `script`.css.
    `options` reach the JavaScript as an object, together with the book's colours.
    """
    from base64 import b64encode
    from html import escape

    width = round(still.figure.get_figwidth() * style.SHOWN)
    image = f'<img alt="{escape(still.alt)}" src="data:image/png;base64,{b64encode(still.png).decode()}"'
    own = files(__package__) / f"{script}.css"
    html = wrapped(
        script,
        "-".join(["ep-demo", script, *([identifier(name)] if name else [])]).replace("_", "-"),
        label,
        f'<div class="ep-still">{image} width="{width}"><p>{escape(still.alt)} {escape(WHERE)}</p></div>',
        parts=parts,
        sheets=("kit.css", *([own.name] if own.is_file() else [])),
        options={"colours": style.COLOURS, "wrong": style.ERROR, **options},
    )
    return Live(html, f"{label}: {still.alt}", still.png, width)


def wrapped(script, id, label, still, *, options, kind="ep-demo", sheets=("kit.css",), parts=()) -> str:
    """The HTML of an element `id` of class `kind`: style `sheets`, `still` for where no scripts run, kit.js, `parts`, `script`.js."""
    from html import escape

    folder = files(__package__)
    return _PAGE.format(
        id=id,
        kind=kind,
        label=escape(label),
        css="".join(folder.joinpath(sheet).read_text("utf-8") for sheet in sheets),
        still=still,
        script="\n".join(
            folder.joinpath(part).read_text("utf-8") for part in ("kit.js", *parts, f"{script}.js")
        ),
        options=quoted(options),
    )
