"""The check, hint and solution engine, on exercises made up for the purpose."""

import json
import sys

import numpy as np
import pytest
import torch
from torch import nn

import segnb
from segnb import exercises
from segnb.exercises import Case, Exercise, engine, kinds
from segnb.exercises.check import register

LINE = torch.tensor([1.0, 2.0, 4.0])


def halve(line):
    """Half of every number."""
    return line / 2


def width_of(picture):
    return int(picture.shape[-1])


def make_block(channels):
    return nn.Conv2d(channels, channels, 1)


def run_block(make_block, channels):
    block = make_block(channels)
    if not isinstance(block, nn.Module):
        raise TypeError("make_block should return an nn.Module")
    return torch.tensor([parameter.numel() for parameter in block.parameters()])


def answer_to(seed=0):
    return 40 + seed % 3


HALVE = Exercise(
    halve,
    cases=(
        Case("three numbers by hand", (LINE,), "What is half of 4?"),
        Case("random numbers", lambda seed: (engine.rand(seed, 5),)),
        Case("no numbers at all", (torch.zeros(0),)),
    ),
    mistakes={
        "line / 2 → line * 2": "You double.",
        lambda line: line - 2: lambda got, want, line: (
            f"You subtract: {got[-1].item()} from {line[-1].item()}."
        ),
    },
    hints=("one", "two", "three"),
)
WIDTH = Exercise(width_of, cases=(Case("7 wide", (torch.zeros(2, 7),)),), hints=("a", "b", "c"))
BLOCK = Exercise(make_block, cases=(Case("two channels", (2,)),), hints=("a", "b", "c"), use=run_block)
NUMBER = Exercise(
    answer_to,
    literal=True,
    cases=(Case("the number", lambda seed: (seed,)),),
    mistakes={39: "One less than the smallest."},
    hints=("a", "b", "c"),
)


@pytest.fixture(autouse=True)
def made_up(monkeypatch):
    """The exercises of this file under their names, and no strictness unless a test asks for it."""
    monkeypatch.delenv("SEGNB_STRICT", raising=False)
    # By this way: `segnb.exercises.check` is the function.
    monkeypatch.setattr(sys.modules["segnb.exercises.check"], "_steps_given", {})
    for exercise in (HALVE, WIDTH, BLOCK, NUMBER):
        monkeypatch.setitem(exercises.registry, exercise.name, exercise)


@pytest.fixture
def said(capsys):
    """Runs a check and returns what it printed; nothing may reach stderr."""

    def run(name, answer, **more):
        assert segnb.check(name, answer, **more) is None
        out, err = capsys.readouterr()
        assert err == ""
        assert "Traceback" not in out
        assert out.count("✗") + out.count("○") <= 1
        return out

    return run


def mutate(line):
    half = line / 2
    line.zero_()
    return half


class Uncooperative:
    def __eq__(self, other):
        return True

    def __sub__(self, other):
        return 0


def test_a_right_answer_gets_its_ticks_and_nothing_else(said):
    assert said("halve", halve) == (
        "✓ three numbers by hand\n✓ random numbers\n✓ no numbers at all\nhalve: all 3 checks passed.\n"
    )


def test_nan_among_the_inputs_is_no_change():
    given = (torch.tensor([1.0, float("nan")]), float("nan"))
    assert engine.observe(engine.apply, lambda line, number: 2 * line, given)["changed"] == []
    assert engine.observe(engine.apply, lambda line, number: line.mul_(2), given)["changed"] == [0]


def test_another_right_answer_and_a_class_pass(said):
    class Half(nn.Module):
        def __new__(cls, line):
            return 0.5 * line

    assert "all 3 checks passed" in said("halve", lambda numbers: 0.5 * numbers)
    assert "all 3 checks passed" in said("halve", Half)


def divide_by_zero(line):
    return line / (1 // 0)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda line: None, "your answer gives nothing. Does every way through your function end in `return`?"),
        (lambda line: line.sum, "type builtin_function_or_method. A method's name needs ()"),
        (lambda line: (x for x in line), "type generator. Collect it first: list(...)."),
        (lambda line: 2.0, "A tensor is wanted, and your answer gives a number. Leave .item() and float() out"),
        (lambda line: [1.0], "your answer gives a list"),
        (lambda line: Uncooperative(), "your answer gives an object of type Uncooperative"),
        (lambda line: line[None] / 2, "the shape should be 3, and yours is 1×3."),
        (lambda line: (line / 2).long(), "the dtype should be torch.float32, and yours is torch.int64."),
        (lambda line: line.requires_grad_() / 2, "your function changed `line` itself"),
        (lambda line: line.clone().requires_grad_() / 2, "your result carries a gradient"),
        (lambda line: line / 0 * 0, "your result contains NaN"),
        (mutate, "your function changed `line` itself, and whoever called it still needs it. Work on a copy or a new value: line.clone() if it is a tensor."),
        (lambda line: line / 3, "With line = [1, 2, 4]: the result should be [0.5, 1, 2], and yours is [0.3333, 0.6667, 1.333]. What is half of 4?"),
        (lambda line: line * 2, "✗ You double."),
        (lambda line: line - 2, "✗ You subtract: 2.0 from 4.0."),
        (divide_by_zero, "at the line `return line / (1 // 0)` with ZeroDivisionError"),
        (lambda line: undefined_name, "NameError: name 'undefined_name' is not defined"),  # noqa: F821
        (lambda line: sys.exit(), "Your code ends the whole program"),
        (lambda: 1, "takes 0 positional arguments but 1 was given. I called halve(line)."),
        (lambda line: torch.zeros(2_000_000), "a tensor is wanted, and your answer gives an object of type 2000000 tensor"),
        (lambda line: torch.zeros(3, dtype=torch.complex64), "3 tensor of complex64"),
        (lambda line: line.to_sparse(), "an object of type 3 tensor of float32"),
        (LINE / 2, 'Hand in the function itself, by its name and without calling it: segnb.check("halve", halve).'),
        ("halve", "Hand in the function itself"),
    ],
)  # fmt: skip
def test_a_wrong_answer_gets_one_sentence_with_the_cure(said, answer, sentence):
    assert sentence.lower() in said("halve", answer).lower()


def test_every_line_of_a_failing_check(said):
    line = engine.rand(1, 5)  # the second case, under seed 0 + 1
    assert said("halve", lambda line: line / 2 if len(line) != 5 else line) == (
        "✓ three numbers by hand\n✓ no numbers at all\n"
        f"✗ With line = {engine.show(line)}: the result should be {engine.show(line / 2)}, and yours is {engine.show(line)}.\n"
        'halve: 2 of 3 checks passed. segnb.hint("halve") helps.\n'
    )


@pytest.mark.parametrize("stub", [None, ...])
def test_what_is_not_written_yet_is_no_mistake(said, stub):
    def unwritten(line):
        raise NotImplementedError("halve: write this function")

    class Unwritten:
        def __init__(self, line):
            raise NotImplementedError("halve: write this function")

    for answer in (unwritten, Unwritten, stub):
        assert said("halve", answer).startswith("○ halve is not written yet. Replace the line that raises")
    assert said("answer_to", stub).startswith(
        "○ answer_to is not written yet. Put your answer where the dots are"
    )


def test_what_torch_does_not_implement_is_a_mistake(said):
    out = said("halve", lambda line: line.long().log_softmax(0) * line / 2)
    assert "NotImplementedError" in out
    assert "not written yet" not in out


@pytest.mark.parametrize(
    "answer",
    [
        lambda line: nn.functional.cross_entropy(torch.ones(1, 2), torch.ones(1, 2, dtype=torch.int64)),
        lambda line: torch.arange(3).softmax(0),
        lambda line: nn.Module()(line),
    ],
)
def test_what_torch_has_not_implemented_is_written_all_the_same(said, answer):
    assert "✗ Your code stopped at the line" in said("halve", answer)


def test_wrong_numbers_are_told_before_a_gradient_that_is_wrong_where_they_are_right():
    cases = Case("first", (torch.tensor([0.0, 1]),)), Case("later", (LINE,))
    task = Exercise(halve, cases=cases, gradient=("line",), hints=("a", "b", "c"))
    assert "the result should be [0.5, 1, 2]" in verdict(task, lambda line: line**2 / 2).hint
    assert "their gradient by `line` is not" in verdict(task, lambda line: line - line.detach() / 2).hint


def test_the_mistake_that_agrees_in_most_cases_is_named(said, monkeypatch):
    confusable = Exercise(
        halve,
        cases=(Case("two", (torch.tensor([2.0]),)), Case("three", (torch.tensor([3.0]),))),
        mistakes={lambda x: x * x: "You square.", lambda x: x + x: "You double."},
        hints=("a", "b", "c"),
    )
    monkeypatch.setitem(exercises.registry, "halve", confusable)
    assert "✗ You double." in said("halve", lambda x: 2 * x)
    assert "✗ You square." in said("halve", lambda x: x**2)


def test_modules_are_put_to_use_by_the_exercise(said):
    assert "make_block is right" in said("make_block", lambda channels: nn.Conv2d(channels, channels, 1))
    assert "With channels = 2: the result should be [4, 2], and yours is [36, 2]." in said(
        "make_block", lambda n: nn.Conv2d(n, n, 3)
    )
    assert "✗ Make_block should return an nn.Module.\n" in said("make_block", lambda n: 3)


@pytest.mark.parametrize("right", [7, 7.0, np.int64(7), np.float32(7)])
def test_numbers_count_by_value(said, right):
    assert "width_of is right" in said("width_of", lambda picture: right)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (torch.tensor([7]), "a number is wanted, and your answer gives a tensor. Take the values out"),
        (True, "your answer gives a truth value"),
        ("7", "your answer gives a text"),
        (6, "6 is not right."),
        (float("nan"), "nan is not right."),
        (10**400, "an object of type int"),
    ],
)
def test_wrong_numbers_are_told_apart(said, wrong, sentence):
    assert sentence in said("width_of", lambda picture: wrong)


def test_literal_answers_follow_the_students_name(said):
    right = answer_to(exercises.variant("ada"))
    assert "answer_to is right" in said("answer_to", right, student="ada")
    assert "answer_to is right" in said("answer_to", right, student=" Ada ")
    assert "50 is not right." in said("answer_to", 50, student="ada")
    assert "One less than the smallest." in said("answer_to", 39, student="ada")
    assert "this is a function" in said("answer_to", answer_to, student="ada")


def test_variants_are_fixed_and_differ():
    assert exercises.variant("ada") == exercises.variant("ADA ") == 2130125190
    assert len({exercises.variant(str(n)) for n in range(500)}) == 500


@pytest.mark.parametrize(
    ("want", "got", "sentence"),
    [
        ([1, 2], [1, 2], None),
        ([1, 2], [1, 3], "entry 2 of the list should be 2, and yours is 3."),
        ([1, 2], [1], "the list ends too early: after 1 entries 2 is missing."),
        ([1], [1, 2], "the list is too long: 2 is one too many."),
        (["ReLU"], [" relu"], None),
        ([], [], None),
        ([[1]], [1], "entry 1 of the list: a list is wanted, and your answer gives a number."),
        (torch.ones(1), 1.0, "a tensor is wanted, and your answer gives a number. Leave .item()"),
        (
            [torch.ones(1)],
            torch.ones(1, 1),
            "a list is wanted, and your answer gives a tensor. list(...) takes",
        ),
        (
            torch.tensor([0.3]),
            torch.tensor([0.3]).half(),
            "the dtype should be torch.float32, and yours is torch.float16",
        ),
        (torch.tensor([0.5]), torch.tensor([0.5]).half(), None),
        (1.0, 1.00001, None),
        (1.0, 1.01, "1.01 is not right."),
        (torch.zeros(0), torch.zeros(0), None),
        (torch.tensor([float("inf")]), torch.tensor([float("inf")]), None),
        (torch.tensor([float("nan")]), torch.tensor([float("nan")]), None),
        (torch.tensor([float("inf")]), torch.tensor([0.0]), "the result should be [inf], and yours is [0]."),
        (torch.zeros(7, 7), torch.eye(7), "at (0, 0) the result should be 0, and yours is 1."),
        (torch.zeros(1, requires_grad=True), torch.zeros(1), "no gradient flows through your result"),
        (1000.0 * torch.ones(2), 1000.05 * torch.ones(2), None),
    ],
)
def test_differences(want, got, sentence):
    told = engine.differ(got, want, 1e-4)
    assert told is None if sentence is None else told.startswith(sentence)


def test_where_the_dtype_counts_a_whole_number_is_no_float():
    assert engine.differ([1, 2], [1, 2], 1e-4, exact=True) is None
    assert engine.differ([1, 2.0], [1, 2], 1e-4) is None
    assert "a whole number is wanted, and 2.0 is a float" in engine.differ([1, 2.0], [1, 2], 1e-4, exact=True)
    assert "entry 1 of the list should be 1" in engine.differ([3, 2], [1, 2], 1e-4, exact=True)


def test_a_value_of_another_kind_is_shown_by_its_type():
    assert engine.show([engine.decode(engine.encode(halve)), 1]) == "[an object of type function, 1]"


def test_a_hint_about_the_values_is_not_given_for_a_gradient():
    case = Case("three numbers", (LINE, 2 * LINE), "Multiply, then add.")
    task = Exercise(weighted, gradient=("line", "weight"), cases=(case,), hints=("a", "b", "c"))
    assert "Multiply, then add." in verdict(task, lambda line, weight: line.sum() + weight.sum()).hint
    assert (
        "Multiply, then add." not in verdict(task, lambda line, weight: weighted(line, weight).detach()).hint
    )


def test_a_zero_is_shown_without_a_sign():
    assert engine.show(torch.tensor([-0.0, -1.0])) == "[0, -1]"


@pytest.mark.parametrize("dtype", engine.DTYPES.values())
def test_tensors_survive_json(dtype):
    tensor = torch.arange(6).reshape(2, 3).to(dtype)
    again = engine.decode(json.loads(json.dumps(engine.encode(tensor))))
    assert again.dtype == dtype
    assert torch.equal(again, tensor)


@pytest.mark.parametrize("value", [0, -1.5, "text", [1, [2.0, "x"]], None, float("inf"), 2**62, True])
def test_plain_values_survive_json(value):
    assert engine.decode(json.loads(json.dumps(engine.encode(value)))) == value


@pytest.mark.parametrize(
    "forged",
    [
        {},
        [],
        {"kind": "tensor", "shape": [2], "dtype": "float32", "grad": False, "values": [1.0]},
        {"kind": "tensor", "shape": [1], "dtype": "load", "grad": False, "values": [1.0]},
        {"kind": "tensor", "shape": [1], "dtype": "float32", "grad": False, "values": ["x"]},
        {"kind": "tensor", "shape": [1], "dtype": "int64", "grad": True, "values": [1]},
        {"kind": "number", "value": "7"},
        {"kind": "list", "items": 3},
        {"kind": "other"},
    ],
)
def test_forged_values_are_refused(forged):
    with pytest.raises((ValueError, TypeError, KeyError, RuntimeError)):
        engine.decode(forged)


def test_check_leaves_the_random_numbers_alone(said):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    said("halve", lambda line: line + torch.rand(()))
    assert torch.equal(torch.rand(3), expected)


def test_a_mutating_answer_does_not_spoil_the_next_check(said):
    said("halve", mutate)
    assert torch.equal(LINE, torch.tensor([1.0, 2.0, 4.0]))
    assert "all 3 checks passed" in said("halve", halve)


def test_ctrl_c_still_stops(said):
    def endless(line):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        segnb.check("halve", endless)


@pytest.mark.parametrize(
    ("name", "answer"), [("halve", lambda x: x), ("halve", None), ("halve", 3), ("nothing", 3)]
)
def test_strict_raises(monkeypatch, name, answer):
    monkeypatch.setenv("SEGNB_STRICT", "1")
    with pytest.raises(AssertionError, match=name):
        segnb.check(name, answer)


def test_strict_passes_what_is_right(monkeypatch):
    monkeypatch.setenv("SEGNB_STRICT", "1")
    segnb.check("halve", halve)


def test_an_unknown_name_lists_those_there_are(capsys):
    segnb.check("halv", halve)
    segnb.hint("halv")
    segnb.solution("halv")
    lines = capsys.readouterr().out.splitlines()
    assert len(set(lines)) == 1
    assert len(lines) == 3
    assert 'There is no exercise "halv". Did you mean "halve"?' in lines[0]
    assert "width_of" in lines[0]


def test_hints_go_one_step_further_each_time(capsys):
    for _ in range(4):
        segnb.hint("halve")
    segnb.hint("halve", 1)
    lines = capsys.readouterr().out.splitlines()
    assert lines[::2] == [
        f"Hint {n} of 3. {word}"
        for n, word in ((1, "one"), (2, "two"), (3, "three"), (3, "three"), (1, "one"))
    ]
    assert lines[1] == 'segnb.hint("halve") says more.'
    assert lines[5] == 'The answer itself: segnb.solution("halve").'


def test_solution_is_python_source(capsys):
    segnb.solution("halve")
    assert (
        capsys.readouterr().out == 'def halve(line):\n    """Half of every number."""\n    return line / 2\n'
    )


def test_yours_or_ours(capsys):
    def better(line):
        return 0.5 * line

    assert exercises.yours_or_ours("halve", better) is better
    assert exercises.yours_or_ours("halve", lambda line: line) is halve
    assert exercises.yours_or_ours("halve", None) is halve
    first, *rest = capsys.readouterr().out.splitlines()
    assert first == "Drawn with your halve."
    assert rest == ["Drawn with the course's halve; once yours passes its check, run this cell again."] * 2


def test_two_exercises_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two exercises named 'halve'"):
        register([HALVE, WIDTH, HALVE], {})


# ------------------------------------------------------------------------- judged by what an answer does


def weighted(line, weight):
    return (line * weight).sum()


WEIGHTED = Exercise(
    weighted,
    gradient=("line", "weight"),
    forbidden=("dot",),
    cases=(Case("three numbers", (LINE, 2 * LINE)),),
    hints=("a", "b", "c"),
)


def count_layers(make_block, channels):
    given = nn.Linear(channels, channels)
    with exercises.probes.untouched(given=given):
        made = exercises.probes.new_module(make_block(given), "make_block", given)
    return {"the layers": len(list(made.children()))}


GIVEN = Exercise(
    lambda given: nn.Sequential(nn.Linear(2, 2)),
    cases=(Case("one", (2,)),),
    hints=("a", "b", "c"),
    use=count_layers,
)


def verdict(exercise, answer):
    return engine.judge(exercise, exercise.observe(answer), 0)


def seeded(line, weight):
    torch.manual_seed(3)
    return (line * weight).sum()


def no_more_gradients(line, weight):
    torch.set_grad_enabled(False)
    return (line * weight).sum()


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda line, weight: (line.detach() * weight).sum(), "no gradient reaches `line`"),
        (lambda line, weight: (line * weight).sum() / 2 + ((line * weight).sum() / 2).detach(), "and their gradient by `line` is not"),
        (lambda line, weight: torch.tensor((line * weight).sum().item(), requires_grad=True), "no gradient reaches `line`"),
        (lambda line, weight: line.dot(weight), "Here you are asked to do yourself what dot does"),
        (lambda line, weight: torch.dot(line, weight), "Here you are asked to do yourself what dot does"),
        (lambda line, weight: torch.stack([(line * weight).sum(), 0 * line[0] / 0]).nanmean(), "their gradient by `line` is not a number"),
        (seeded, "Your code seeds torch's random numbers"),
        (no_more_gradients, "Your code changes whether torch follows gradients"),
        (lambda line, weight: (line.data.zero_() * weight).sum(), "Your function changed `line` itself"),
    ],
)  # fmt: skip
def test_gradients_settings_and_forbidden_calls(answer, sentence):
    assert sentence in verdict(WEIGHTED, answer).hint
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(
    "answer",
    [
        lambda line, weight: torch.einsum("i,i->", line, weight),
        lambda line, weight: sum(a * b for a, b in zip(line, weight)),
        lambda line, weight: (line.double() * weight.double()).sum(),
        lambda line, weight: line @ weight,
    ],
)
def test_right_in_other_styles(answer):
    assert verdict(WEIGHTED, answer).right


def emptied(given):
    with torch.no_grad():
        given.weight.zero_()
    return nn.Sequential(nn.Linear(2, 2))


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (lambda given: nn.Sequential(given), "belongs to the one you were given"),
        (lambda given: nn.Sequential(nn.Linear(2, 2)).requires_grad_(False), "is frozen"),
        (lambda given: nn.Sequential(*[nn.Linear(2, 2)] * 2), "One layer stands in two places"),
        (lambda given: nn.Sequential(nn.ReLU()), "no parameters that PyTorch knows of"),
        (
            lambda given: nn.Sequential(nn.Linear(2, 2), nn.ReLU()),
            "the layers: it should be 1, and yours is 2.",
        ),
        (emptied, "Your function changes `given`"),
        (lambda given: nn.Sequential(nn.Linear(2, 2)) if given.eval() else None, "the mode of the whole"),
    ],
)
def test_what_is_given_and_what_is_owned(answer, sentence):
    assert sentence in verdict(GIVEN, answer).hint


def test_a_mistake_is_recognised_only_if_all_cases_agree(said):
    assert "You double." in said("halve", lambda line: line * 2)
    assert "You double." not in said("halve", lambda line: line * 2 if len(line) == 3 else line)


def largest(x):
    return x.max(0).values


@pytest.mark.parametrize("ties", [False, True])
def test_equal_numbers_may_share_a_gradient_where_the_case_says_so(ties):
    case = Case("the largest of two", (torch.ones(2, 3),), ties=ties)
    task = Exercise(largest, cases=(case,), gradient=("x",), hints=("a", "b", "c"))
    assert verdict(task, largest).right
    assert verdict(task, lambda x: x.amax(0)).right == ties
    assert "no gradient" in verdict(task, lambda x: largest(x.detach())).hint
    assert "no gradient reaches `x`" in verdict(task, lambda x: largest(x.detach()) + 0 * x[0]).hint


def test_a_hint_about_values_is_not_told_of_a_result_without_a_gradient():
    task = Exercise(largest, cases=(Case("", (LINE[:, None],), "Look again."),), gradient=("x",), hints=("a", "b", "c"))  # fmt: skip
    assert verdict(task, lambda x: x.min(0).values).hint.endswith("Look again.")
    assert verdict(task, lambda x: largest(x).detach()).hint.endswith("has cut it off.")


def test_what_differs_is_shown_as_different():
    assert engine.differ(torch.tensor([2.00003]), torch.tensor([2.0]), 1e-7).endswith(
        "be [2], and yours is [2.00003]."
    )


def test_the_placeholder_is_no_name(said):
    assert "put it where" in said("answer_to", answer_to(exercises.variant("your-id")), student="your-id")


TESTS = Exercise(
    lambda: [(LINE,)],
    literal=True,
    cases=kinds.exposes(halve, {"it doubles": lambda line: 2 * line, "it stops at 3": lambda line: line[:3] / 2}, lambda line: None),
    hints=("a", "b", "c"),
)  # fmt: skip


def test_write_the_tests():
    assert "passes all your tests: it stops at 3" in verdict(TESTS, [(LINE,)]).hint
    assert verdict(TESTS, [(torch.ones(5),)]).right
    assert "A list of inputs is wanted" in verdict(TESTS, []).hint
    assert "Is the list missing round a single one" in verdict(TESTS, (torch.ones(5),)).hint


def test_an_input_that_cannot_be_used_finds_out_nothing():
    assert verdict(TESTS, [(torch.ones(5),), (torch.tensor([float("nan")]),)]).passed == (False,) * 3


def test_predict_then_measure():
    task = Exercise(lambda: [1, 199], literal=True, cases=kinds.predicts((0, 500), lambda: 199, slips={101: "p = 0.5"}), hints=("a", "b", "c"))  # fmt: skip
    assert verdict(task, [3, 199]).right
    assert "from 0 to 500" in verdict(task, [-3, 199]).hint
    assert verdict(task, [3, 101]).hint == "P = 0.5"
    assert not verdict(task, [..., 199]).written
    assert verdict(task, [3, 0]).passed == (True, False)
    assert verdict(task, [3, 0]).hint.startswith("The guess stands. Now measure")
    assert "in per cent" in verdict(task, [3, 19900]).hint
    assert verdict(task, [3, 17]).hint.startswith("The measurement is not 17. Run")
    assert verdict(task, torch.tensor([3, 199])).right
    assert verdict(task, [199, 3]).hint.startswith("199 is what a measurement gives, and it stands first")
    assert verdict(task, [3, [199]]).hint == "The measurement is one number, and yours is [199]."
    assert verdict(task, [3, max]).hint.startswith("The measurement is not an object of type builtin")


def test_predict_then_measure_an_order():
    task = Exercise(lambda: [["b", "a"]] * 2, literal=True, cases=kinds.predicts(["a", "b"], lambda: ["b", "a"]), hints=("a", "b", "c"))  # fmt: skip
    assert verdict(task, [["a", "b"], ["B", " a"]]).right
    assert verdict(task, [["A", "b"], []]).passed == (True, False)
    assert "Now measure" in verdict(task, [["a", "b"], []]).hint
    for other in ("b, a", [0.3, 0.2], ["b", "b"]):
        assert "What you measured has to be written as an order" in verdict(task, [["a", "b"], other]).hint
    assert "The measurement is not" in verdict(task, [["a", "b"], ["a", "b"]]).hint


def test_train_under_a_budget():
    def run_twice(answer, seed):
        net = nn.Linear(1, 1)
        exercises.probes.Budget(net, steps=2, batch=4)
        for _ in range(answer(seed)):
            net(torch.zeros(4, 1))
        return answer(seed) / 2

    task = Exercise(lambda seed: 2, use=run_twice, cases=kinds.reaches("enough", 0.9, "Go on."), hints=("a", "b", "c"))  # fmt: skip
    assert verdict(task, lambda seed: 2).right
    assert "reaches 0.5, and 0.9 is asked for. Go on." in verdict(task, lambda seed: 1).hint
    assert "The budget is 2 steps" in verdict(task, lambda seed: 3).hint
