"""How a demo becomes one self-contained piece of HTML."""

from importlib.resources import files

from ..show import style
from ..show.live import WHERE, Live, identifier, quoted

_PAGE = """<div id="{id}" class="ep-demo" role="group" aria-label="{label}">
<style>{css}</style>
<div class="ep-still">{still}<p>{alt} {where}</p></div>
<script>
(function () {{
{script}
for (const root of document.querySelectorAll('[id="{id}"]')) {{
  if (root.demo) continue;
  root.querySelector(".ep-still").remove();
  root.demo = demo(root, {options});
}}
}})();
</script>
</div>"""


def page(script, label, still, *, name=None, parts=(), **options):
    """Wrap the demo in `script`.js. → `Live`

    `label`: what it is, in a few words. `still`: the `Picture` that stands there where scripts do not run (GitHub, a
    notebook not yet trusted, paper); its alt text stands below it. `name`: part of the element's id, needed only where
    a page holds the demo twice. `parts`: more files of JavaScript that it needs; styles of its own stand in `script`.css.
    `options` reach the JavaScript as an object, together with the book's colours.
    """
    from base64 import b64encode
    from html import escape

    folder = files(__package__)
    own = folder / f"{script}.css"
    sheets = [folder / "kit.css", *([own] if own.is_file() else [])]
    sources = [folder / name for name in ("kit.js", *parts, f"{script}.js")]
    width = round(still.figure.get_figwidth() * style.SHOWN)
    image = f'<img alt="{escape(still.alt)}" src="data:image/png;base64,{b64encode(still.png).decode()}"'
    html = _PAGE.format(
        id="-".join(["ep-demo", script, *([identifier(name)] if name else [])]).replace("_", "-"),
        label=escape(label),
        css="".join(sheet.read_text("utf-8") for sheet in sheets),
        still=f'{image} width="{width}">',
        alt=escape(still.alt),
        where=escape(WHERE),
        script="\n".join(source.read_text("utf-8") for source in sources),
        options=quoted({"colours": style.COLOURS, "wrong": style.ERROR, **options}),
    )
    return Live(html, f"{label}: {still.alt}", still.png, width)
