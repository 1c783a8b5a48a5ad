"""Code on the site in lines of their own, so that a style sheet can hang the continuation of a line that is too long."""

import re

BLOCK = re.compile(r'(<div class="highlight"><pre>)(.*?)(</pre></div>)', flags=re.DOTALL)
TAG = re.compile(r"<(/?)span[^>]*>")


def in_lines(html: str) -> str:
    """A page in which every line of highlighted code is a `<span class="ep-line">`; its text stays as it was.

    A span that reaches over several lines, as of a long string, is closed at the end of each and opened again.
    """
    return BLOCK.sub(lambda block: block[1] + _lines(block[2]) + block[3], html)


def _lines(code: str) -> str:
    result, open_spans = [], []
    for line in code.removesuffix("\n").split("\n"):
        before = "".join(open_spans)
        for tag in TAG.finditer(line):
            if tag[1]:
                open_spans.pop()
            else:
                open_spans.append(tag[0])
        indent = len(re.match(r" *", re.sub(r"<[^>]+>", "", line))[0])
        style = f' style="--indent:{indent}ch"' if indent else ""
        result.append(f'<span class="ep-line"{style}>{before}{line}{"</span>" * len(open_spans)}\n</span>')
    return "".join(result)
