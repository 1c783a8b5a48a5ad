"""Code on the site in lines of their own, so that a style sheet can hang the continuation of a line that is too long."""

import re

BLOCK = re.compile(r'(<div class="highlight"><pre>)(.*?)(</pre></div>)', flags=re.DOTALL)
TAG = re.compile(r"<(/?)span[^>]*>")
# A phone's line holds fewer signs than a long name with its calls: it may go on below after a dot or a bracket.
LONG = 16
PIECE = re.compile(r"((?:<[^>]*>|&[^;]*;|[^\s<&])+)")
SIGN = re.compile(r"<[^>]*>|&[^;]*;|[(.](?=[^\s.(])")
# What begins further right than this many signs, as the head of a table does, would leave no room beside it.
DEEPEST = 16


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
        indent = min(DEEPEST, len(re.match(r" *", re.sub(r"<[^>]+>", "", line))[0]))
        style = f' style="--indent:{indent}ch"' if indent else ""
        line = PIECE.sub(_breakable, line)
        result.append(f'<span class="ep-line"{style}>{before}{line}{"</span>" * len(open_spans)}\n</span>')
    return "".join(result)


def _breakable(piece):
    """What stands between two spaces; with places to break it if it is long."""
    if len(TAG.sub("", piece[0])) <= LONG:
        return piece[0]
    return SIGN.sub(lambda sign: sign[0] if sign[0][0] in "<&" else f"{sign[0]}<wbr>", piece[0])
