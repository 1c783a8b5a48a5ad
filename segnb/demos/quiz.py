"""A guess before the result, and questions to recall, each wrong choice answered by its own sentence."""

from hashlib import sha256
from html import escape

from ..show.live import identifier
from .page import wrapped

MARKS = {True: "✓", False: "✗"}


def guess(question, answer, why="", *, within=None, unit="") -> "Quiz":
    """Ask before the result is seen: a number, a choice or an order. → `Quiz`

    `answer` is a number, of which a guess within `within` counts as good; or {choice: sentence}, the right choice
    first; or the list in its right order. What is shown is shuffled. `why` explains a number or an order.
    """
    item = {"question": question, **_item(question, answer, why, within, unit)}
    return Quiz("guess", [item])


def recall(questions) -> "Quiz":
    """Ask for what was read: {question: {choice: sentence}}, the right choice first. → `Quiz`

    Each sentence answers who takes its choice. A question is asked until it is answered; the first try counts.
    """
    return Quiz("recall", [{"question": one, **_choices(one, said)} for one, said in questions.items()])


def _item(question, answer, why, within, unit):
    if isinstance(answer, dict):
        return _choices(question, answer)
    if not why:
        raise ValueError(f"{question!r} needs a sentence that explains: why=")
    if isinstance(answer, list):
        if len(set(answer)) < max(2, len(answer)):
            raise ValueError(f"{question!r}: an order needs at least two different things")
        shown = _shuffled(question, answer)
        shown = shown[1:] + shown[:1] if shown == answer else shown
        return {"kind": "order", "order": answer, "shown": shown, "why": why}
    if within is None:
        raise ValueError(f"{question!r}: within= says how near a good guess comes")
    return {"kind": "number", "answer": answer, "within": within, "unit": unit, "why": why}


def _choices(question, sentences):
    """The choices in an order that does not give the right one away, and is the same on every run."""
    if len(sentences) < 2 or not all(sentences.values()):
        raise ValueError(f"{question!r} needs two choices or more, each with a sentence")
    right = next(iter(sentences))
    shown = _shuffled(question, sentences)
    return {
        "kind": "choice",
        "choices": [{"text": one, "why": sentences[one], "right": one == right} for one in shown],
    }


def _shuffled(question, things):
    return sorted(things, key=lambda one: sha256(f"{question}{one}".encode()).digest())


class Quiz:
    """One card of questions. `items`: what its script is given, a dict a question.

    In HTML it holds a fold for each question too: that stands there on GitHub, and on paper.
    """

    def __init__(self, use, items):
        self.items = items
        label = {"guess": "Guess first", "recall": "Recall"}[use]
        folds = {"guess": _guess_fold, "recall": _recall_fold}[use]
        self.html = wrapped(
            "quiz",
            f"ep-{use}-{identifier(items[0]['question'])[:40].rstrip('-')}",
            label,
            f'<div class="ep-folds">{"".join(map(folds, items))}</div>',
            kind="ep-quiz",
            sheets=("quiz.css",),
            options={"recall": use == "recall", "items": items},
        )
        self.text = "\n\n".join(f"{label}: {_plain(item)}" for item in items)

    def _repr_html_(self):
        return self.html

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": self.html, "text/plain": self.text}

    def __repr__(self):
        return self.text


def _answer(item):
    """(headline, sentence, [(wrong choice, sentence)]) of one question."""
    if item["kind"] == "choice":
        right = next(one for one in item["choices"] if one["right"])
        wrong = [(one["text"], one["why"]) for one in item["choices"] if not one["right"]]
        return right["text"], right["why"], wrong
    if item["kind"] == "order":
        return "; ".join(item["order"]), item["why"], []
    unit = f" {item['unit']}" if item["unit"] else ""
    number = f"{item['answer']:,}".replace("-", "−")
    near = f"(Within {item['within']:,} is a good guess.) " if item["within"] else ""
    return f"{number}{unit}", near + item["why"], []


def _shown(item):
    """What one chooses from, if anything."""
    return [one["text"] for one in item.get("choices", ())] or item.get("shown", [])


def _html(text):
    """Text in which `this` is code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


def _list(lines):
    return f"<ul>{''.join(f'<li>{line}</li>' for line in lines)}</ul>" if lines else ""


def _told(item):
    right, why, wrong = _answer(item)
    others = [f"{MARKS[False]} {_html(one)}: {_html(sentence)}" for one, sentence in wrong]
    return f"<p>{MARKS[True]} <b>{_html(right)}.</b> {_html(why)}</p>{_list(others)}"


def _guess_fold(item):
    asked = f"<p><b>Guess first:</b> {_html(item['question'])}</p>{_list(map(_html, _shown(item)))}"
    return f"{asked}<details><summary>Answer</summary>{_told(item)}</details>"


def _recall_fold(item):
    return f"<details><summary>{_html(item['question'])}</summary>{_told(item)}</details>"


def _plain(item):
    right, why, wrong = _answer(item)
    shown = "".join(f"\n- {one}" for one in _shown(item))
    others = "".join(f"\nNot {one}: {sentence}" for one, sentence in wrong)
    return f"{item['question']}{shown}\nAnswer: {right}. {why}{others}"
