"""What players and demos have in common: a piece of HTML that runs in the page, without a kernel."""


class Live:
    """HTML for a cell's output: on the site, on Colab and in JupyterLab it runs by itself. `alt` says what it shows."""

    def __init__(self, html, alt):
        self.html, self.alt = html, alt

    def _repr_html_(self):
        return self.html

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": self.html, "text/plain": f"<{self.alt}>"}

    def __repr__(self):
        return f"<{self.alt}>"


def quoted(value):
    """Any JSON value as text that is safe inside a <script> element."""
    import json

    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")


def identifier(text):
    """Letters, digits and hyphens: `text` as the id of an HTML element."""
    import re

    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
