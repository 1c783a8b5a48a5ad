"""Notes are about what an answer does, not about its comments."""

from segnb.exercises.grading import evidence
from segnb.exercises.grading.answers import Notebook

LINES = "\n".join(f"    x = x + {number}" for number in range(30))


def told(source):
    book = Notebook([{"source": source, "grade_id": "f", "code": True}])
    return evidence.of_text(book, book.answers("f")[0])


def test_equal_texts_have_equal_digests_whatever_is_said_about_them():
    bare = told(f"def f(x):\n{LINES}\n    return x")
    commented = told(f'def f(x):\n    """Adds."""\n    # a sum\n{LINES}\n    return (x)')
    assert bare["digest"] == commented["digest"] != ""
    assert told(f"def f(y):\n{LINES}\n    return y")["digest"] != bare["digest"]
    assert told("def f(x):\n    return x + 1")["digest"] == ""  # short ones are equal by chance


def test_the_courses_own_answers_are_named():
    assert "segnb.exercises.tasks.unet.g" in told("from segnb.exercises.tasks.unet import g\nf = g")["names"]
    assert told("f = segnb.exercises.unet.g")["names"] == ["segnb.exercises.unet.g"]
    assert told("def f(x):\n    return x")["names"] == []
