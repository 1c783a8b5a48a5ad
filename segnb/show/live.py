"""What players and demos have in common: a piece of HTML that runs in the page, without a kernel."""

# Said in HTML where scripts do not run (the script takes it away) and in plain text.
WHERE = "Where scripts run, as on the course's site, on Colab and in a trusted JupyterLab, it can be moved by hand."


class Live:
    """HTML for a cell's output: on the site, on Colab and in JupyterLab it runs by itself.

    `alt` says what it shows, also as plain text. `still`: the bytes of a PNG of it, for what is made of a notebook on
    paper, and `width`, that picture's on the page. `frames`: the SVGs of its pictures, which a notebook keeps for a page
    with colours of its own.
    """

    def __init__(self, html, alt, still, width, frames=None):
        self.html, self.alt, self.still, self.width, self.frames = html, alt, still, width, frames

    def _repr_html_(self):
        return self.html

    def _repr_mimebundle_(self, include=None, exclude=None):
        from base64 import b64encode

        png = b64encode(self.still).decode()
        data = {"text/html": self.html, "image/png": png, "text/plain": f"{self.alt} {WHERE}"}
        kept = {"segnb": {"frames": self.frames}} if self.frames else {}
        return data, {"image/png": {"alt": self.alt, "width": self.width}} | kept

    def __repr__(self):
        return f"<{self.alt}>"


def quoted(value) -> str:
    """Any JSON value as text that is safe inside a <script> element."""
    import json

    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c").replace("\u2028", "\\u2028")


def identifier(text) -> str:
    """Letters, digits and hyphens: `text` as the id of an HTML element."""
    import re

    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
