"""A guess is committed before the result is seen, and a wrong choice gets its own sentence: by mouse, by key, anywhere."""

import re
from html import escape

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from segnb import demos

NUMBER = demos.guess("How many in a thousand?", 7, "Few are people.", within=3, unit="in a thousand")
CHOICE = demos.guess("Same number after `view`?", {"no": "It cuts across classes.", "yes": "None is lost."})
ORDER = demos.guess("The best first?", ["rates", "dead rates", "none"], "Taps must meet the map.")
RECALL = demos.recall(
    {
        "What is the padding at rate 6?": {
            "6": "It equals the rate.",
            "1": "So at rate 1.",
            "3": "Half a reach.",
        },
        "What is Dice if IoU is 0.5?": {"2/3": "1/1.5.", "1/2": "Only at 0 and 1 are they equal."},
    }
)
ALL = {"number": NUMBER, "choice": CHOICE, "order": ORDER, "recall": RECALL}
every = pytest.mark.parametrize("quiz", ALL.values(), ids=ALL)


@pytest.fixture
def page(browser):
    """A browser that has kept no answers."""
    browser.open("")
    browser.run("localStorage.clear()")
    browser.complaints()
    return browser


def one(driver, selector):
    return driver.find_element(By.CSS_SELECTOR, selector)


def choose(driver, text):
    one(driver, f'input[value="{text}"]').click()
    one(driver, ".ep-foot button").click()


# --- a guess -------------------------------------------------------------------------------------------------------


def test_a_number_is_committed_and_only_then_told(page):
    driver = page.open(NUMBER.html)
    field, commit = one(driver, "input[type=number]"), one(driver, ".ep-foot button")
    assert not commit.is_enabled()
    assert "7" not in one(driver, ".ep-card").text
    field.send_keys("40")
    commit.click()
    assert (
        one(driver, ".ep-verdict").text
        == "Too high. You said 40, and it is 7 in a thousand.\nFew are people."
    )
    line = one(driver, ".ep-line")
    assert line.get_attribute("aria-label").endswith("your guess at 40, the result at 7")
    mine, result = (one(driver, kind).rect["x"] for kind in (".ep-dot-mine", ".ep-dot:not(.ep-dot-mine)"))
    assert mine > result


@pytest.mark.parametrize(
    ("said", "word"), [("4", "A good guess."), ("10", "A good guess."), ("3", "Too low."), ("-2", "Too low.")]
)
def test_what_is_within_the_tolerance_is_a_good_guess(page, said, word):
    driver = page.open(NUMBER.html)
    one(driver, "input").send_keys(said, Keys.ENTER)
    assert one(driver, ".ep-verdict").text.startswith(word)


def test_a_number_that_must_be_met_says_so(page):
    driver = page.open(demos.guess("How much padding at rate 4?", 4, "As much as the rate.", within=0).html)
    assert one(driver, ".ep-number").text == "(exactly)"
    one(driver, "input").send_keys("4", Keys.ENTER)
    assert one(driver, ".ep-verdict").text.startswith("Right.")


def test_a_wrong_guess_gets_its_sentence_and_the_right_one_s(page):
    driver = page.open(CHOICE.html)
    choose(driver, "yes")
    assert (
        one(driver, ".ep-verdict").text == "Not so. None is lost.\nIt turns out: no. It cuts across classes."
    )
    assert one(driver, ".ep-wrong").text.split() == ["yes", "✗"]
    assert one(driver, ".ep-right").text.split() == ["no", "✓"]
    assert not any(radio.is_enabled() for radio in driver.find_elements(By.CSS_SELECTOR, "input"))


def test_a_choice_is_made_by_key_alone(page):
    driver = page.open(CHOICE.html)
    driver.switch_to.active_element.send_keys(Keys.TAB)
    driver.switch_to.active_element.send_keys(Keys.SPACE)
    driver.switch_to.active_element.send_keys(Keys.ARROW_DOWN)
    chosen = one(driver, "input:checked").get_attribute("value")
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert one(driver, ".ep-verdict").text.startswith("Right." if chosen == "no" else "Not so.")
    assert driver.switch_to.active_element.text == "Guess again"
    driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert one(driver, ".ep-verdict").text == ""
    assert driver.switch_to.active_element.tag_name == "input"


def test_an_order_is_made_by_key_alone(page):
    driver = page.open(ORDER.html)
    shown = [row.text for row in driver.find_elements(By.CSS_SELECTOR, ".ep-order li > span")]
    assert sorted(shown) == sorted(ORDER.items[0]["order"])
    assert shown != ORDER.items[0]["order"]
    for place, name in enumerate(ORDER.items[0]["order"]):
        for _ in range(3):
            now = [row.text for row in driver.find_elements(By.CSS_SELECTOR, ".ep-order li > span")]
            if now.index(name) == place:
                break
            one(driver, f'button[aria-label="Move {name} up"]').send_keys(Keys.SPACE)
            assert one(driver, ".ep-verdict").text == f"{name} is now number {now.index(name)} of 3."
            assert name in driver.switch_to.active_element.get_attribute("aria-label")
    one(driver, ".ep-foot button").send_keys(Keys.ENTER)
    assert one(driver, ".ep-verdict").text == "Right. Taps must meet the map."


def test_an_order_says_what_is_in_its_place(page):
    driver = page.open(ORDER.html)
    one(driver, ".ep-foot button").click()
    shown = ORDER.items[0]["shown"]
    met = sum(a == b for a, b in zip(shown, ORDER.items[0]["order"]))
    assert one(driver, ".ep-verdict").text.startswith(f"{met} of 3 in their place.")
    rows = [row.text for row in driver.find_elements(By.CSS_SELECTOR, ".ep-order li")]
    for row, name, place in zip(rows, ORDER.items[0]["order"], range(3)):
        assert name in row
        assert ("as you said" if shown[place] == name else f"you: {shown.index(name) + 1}") in row


# --- Recall --------------------------------------------------------------------------------------------------------


def test_each_wrong_choice_is_answered_and_another_may_be_tried(page):
    driver = page.open(RECALL.html)
    choose(driver, "1")
    assert one(driver, ".ep-verdict").text == "Not that one. So at rate 1.\nTry another."
    choose(driver, "3")
    assert one(driver, ".ep-verdict").text.startswith("Not that one. Half a reach.")
    choose(driver, "6")
    assert one(driver, ".ep-verdict").text == "Right. It equals the rate."
    assert not [row.text for row in driver.find_elements(By.CSS_SELECTOR, ".ep-reason") if row.is_displayed()]
    driver.find_elements(By.CSS_SELECTOR, ".ep-foot button")[1].click()
    told = [row.text for row in driver.find_elements(By.CSS_SELECTOR, ".ep-reason")]
    assert sorted(told) == ["Half a reach.", "It equals the rate.", "So at rate 1."]
    assert one(driver, ".ep-tally").text == "1 of 2 answered in this chapter, 0 right"
    one(driver, ".ep-foot button").click()
    assert one(driver, ".ep-asked").text == "What is Dice if IoU is 0.5?"
    choose(driver, "2/3")
    assert one(driver, ".ep-tally").text == "2 of 2 answered in this chapter, 1 right"
    assert [
        step.get_attribute("aria-label") for step in driver.find_elements(By.CSS_SELECTOR, ".ep-steps button")
    ] == [
        "Question 1, answered",
        "Question 2, right at once",
    ]
    assert one(driver, ".ep-foot button").text == "Start again"
    one(driver, ".ep-foot button").click()
    assert one(driver, ".ep-asked").text == "What is the padding at rate 6?"
    assert one(driver, ".ep-tally").text == "0 of 2 answered in this chapter"


def test_the_count_is_of_all_cards_of_a_page(page):
    driver = page.open(NUMBER.html + CHOICE.html + RECALL.html)
    one(driver, "#" + re.search(r'id="([^"]+)"', CHOICE.html)[1] + ' input[value="no"]').click()
    driver.find_elements(By.CSS_SELECTOR, ".ep-foot button:first-child")[1].click()
    counts = {row.text for row in driver.find_elements(By.CSS_SELECTOR, ".ep-tally")}
    assert counts == {"1 of 4 answered in this chapter, 1 right"}


# --- kept, shut out, without scripts, on paper ----------------------------------------------------------------------


def test_answers_are_kept_in_the_browser(page):
    driver = page.open(NUMBER.html + RECALL.html)
    one(driver, "input[type=number]").send_keys("6", Keys.ENTER)
    driver.find_elements(By.CSS_SELECTOR, 'input[value="1"]')[0].click()
    driver.find_elements(By.CSS_SELECTOR, ".ep-foot button:first-child")[1].click()
    driver.refresh()
    said = [row.text for row in driver.find_elements(By.CSS_SELECTOR, ".ep-verdict")]
    assert said[0].startswith("A good guess. You said 6")
    assert said[1].startswith("Not that one. So at rate 1.")


def test_what_was_kept_of_another_question_is_forgotten(page):
    key = "ep-quiz:" + re.search(r'id="([^"]+)"', CHOICE.html)[1]
    for kept in (
        '{"Same number after `view`?": ["gone"]}',
        '{"Same number after `view`?": 3}',
        "null",
        "broken",
    ):
        page.run("localStorage.setItem(arguments[0], arguments[1])", key, kept)
        driver = page.open(CHOICE.html)
        assert one(driver, ".ep-verdict").text == ""
        assert page.complaints() == []


def test_a_sandboxed_frame_without_storage_is_enough(page):
    frame = (
        f'<iframe sandbox="allow-scripts" width="700" height="900" srcdoc="{escape(RECALL.html)}"></iframe>'
    )
    driver = page.open(frame)
    driver.switch_to.frame(one(driver, "iframe"))
    try:
        shut = "try { localStorage; return false; } catch { return true; }"
        assert page.run(shut)
        one(driver, 'input[value="6"]').click()
        one(driver, 'input[value="6"]').send_keys(Keys.ENTER)
        assert one(driver, ".ep-verdict").text == "Right. It equals the rate."
    finally:
        driver.switch_to.default_content()
    assert page.complaints() == []


@every
def test_without_scripts_question_and_folded_answer_stand_there(page, quiz):
    driver = page.open(quiz.html, scripts=False)
    try:
        folds = driver.find_elements(By.CSS_SELECTOR, "details")
        assert len(folds) == len(quiz.items)
        assert not driver.find_elements(By.CSS_SELECTOR, ".ep-card")
        for fold, item in zip(folds, quiz.items):
            assert item["question"].replace("`", "") in one(driver, ".ep-folds").text
            assert fold.get_attribute("open") is None
            for choice in item.get("choices", []):
                assert choice["why"] in fold.get_property("textContent")
    finally:
        driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@every
def test_paper_has_question_and_answer(page, quiz):
    driver = page.open(quiz.html)
    assert not one(driver, ".ep-folds").is_displayed()
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert not one(driver, ".ep-card").is_displayed()
        for item in quiz.items:
            told = [choice["why"] for choice in item.get("choices", [])] or [item["why"]]
            assert all(words in one(driver, ".ep-folds").text for words in told)
    finally:
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


# --- the card ------------------------------------------------------------------------------------------------------


@every
@pytest.mark.parametrize("dark", [False, True])
def test_it_lives_on_a_phone_in_light_and_dark(page, quiz, dark):
    driver = page.open(quiz.html, width=360, dark=dark)
    for _ in range(2):  # before the answer, and after it
        assert page.overflow() <= 0
        assert page.complaints() == []
        ink = "rgb(238, 238, 238)" if dark else "rgb(17, 17, 17)"
        plain = ".ep-card :is(p, label, input, .ep-head, .ep-line, .ep-order li, .ep-quiet)"
        inks = page.run(
            f"return [...document.querySelectorAll('{plain}')].map((e) => getComputedStyle(e).color)"
        )
        assert set(inks) == {ink}
        small = page.run(
            "return [...document.querySelectorAll('.ep-card :is(button, label, input[type=number])')]"
            ".filter((e) => e.checkVisibility()).map((e) => e.getBoundingClientRect())"
            ".filter((box) => box.height < 24 || box.width < 24).length"
        )
        assert small == 0
        if field := driver.find_elements(By.CSS_SELECTOR, "input[type=number]"):
            field[0].send_keys("12")
        for radio in driver.find_elements(By.CSS_SELECTOR, "input[type=radio]")[:1]:
            radio.click()
        one(driver, ".ep-foot button").click()


@every
def test_who_listens_is_told_what_is_asked_and_answered(page, quiz):
    driver = page.open(quiz.html)
    asked = one(driver, ".ep-asked").get_attribute("id")
    assert one(driver, f'.ep-card [aria-labelledby="{asked}"]')
    assert one(driver, ".ep-verdict").get_attribute("aria-live") == "polite"
    assert one(driver, ".ep-quiz").get_attribute("role") == "group"
    assert all(
        (button.text or button.get_attribute("aria-label"))
        for button in driver.find_elements(By.CSS_SELECTOR, "button")
        if button.is_displayed()
    )


@every
def test_every_class_id_and_group_in_it_is_our_own(page, quiz):
    page.open(quiz.html)
    found = page.run(
        "return [...document.querySelectorAll('body [class], body [id], body [name]')]"
        ".flatMap((e) => [...e.classList, e.id, e.getAttribute('name')]).filter(Boolean)"
    )
    assert len(found) > 10
    assert [word for word in found if not word.startswith("ep-")] == []


@every
def test_it_is_small_the_same_every_time_and_asks_no_other_host(quiz):
    assert len(quiz.html) < 40_000
    assert set(re.findall(r"https?://[\w./]+", quiz.html)) <= {"http://www.w3.org/2000/svg"}
    again = demos.guess("How many in a thousand?", 7, "Few are people.", within=3, unit="in a thousand")
    assert again.html == NUMBER.html
    data = quiz._repr_mimebundle_()
    assert set(data) == {"text/html", "text/plain"}
    assert all(item["question"] in data["text/plain"] for item in quiz.items)


def test_two_of_one_kind_do_not_disturb_each_other(page):
    driver = page.open(CHOICE.html + CHOICE.html)
    first, second = driver.find_elements(By.CSS_SELECTOR, ".ep-quiz")
    first.find_element(By.CSS_SELECTOR, 'input[value="no"]').click()
    second.find_element(By.CSS_SELECTOR, 'input[value="yes"]').click()
    assert first.find_element(By.CSS_SELECTOR, "input:checked").get_attribute("value") == "no"


@pytest.mark.parametrize(
    ("arguments", "options", "word"),
    [
        (["How many?", 7], {"within": 1}, "why="),
        (["How many?", 7, "So many."], {}, "within="),
        (["Which?", {"one": "Right."}], {}, "two choices"),
        (["Which?", {"one": "Right.", "two": ""}], {}, "a sentence"),
        (["In which order?", ["a", "a"], "So."], {}, "different"),
    ],
)
def test_a_question_without_an_answer_is_refused(arguments, options, word):
    with pytest.raises(ValueError, match=word):
        demos.guess(*arguments, **options)
