"""A person reviews rows with the keyboard alone, on a page opened from disk."""

import json
from dataclasses import replace

import pytest

from blip_core.annotating.decisions import read_decisions
from blip_core.reviewing import Choice, ReviewPage, check_review, write_page
from tests.browser.looking import wait
from tests.browser.test_report import HOSTILE, WATCH, troubles
from tests.unit.reviewing.rows import DIGEST, ID, caption, dataset, questions

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

RIGHT_TO_LEFT = "\u202eתמונה\u2028<!-- ]]> " + "long" * 300


@pytest.fixture
def rows():
    """Six questions of hostile texts, and a caption."""
    texts = {"question": f"{HOSTILE} {RIGHT_TO_LEFT}", "b": HOSTILE, "context": "__proto__ & <b>context</b>"}
    return [replace(row, **texts) for row in questions(6)] + [caption(6, HOSTILE)]


@pytest.fixture
def open_page(browser, tmp_path, rows):
    """Writes the page, opens it from disk, and lets files come down into a folder."""
    downloads = tmp_path / "downloads"
    downloads.mkdir()
    path = tmp_path / "review.html"
    chosen = [Choice(row.id, "judge -0.1") for row in rows]
    write_page(ReviewPage("Review <of> rows & more", DIGEST, chosen, "7 rows"), rows, path)
    browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)}
    )
    browser.get(path.as_uri())
    return downloads


def press(browser, *keys):
    from selenium.webdriver.common.action_chains import ActionChains

    chain = ActionChains(browser)
    for key in keys:
        chain.send_keys(key)
    chain.perform()


def together(browser, held, key):
    from selenium.webdriver.common.action_chains import ActionChains

    ActionChains(browser).key_down(held).send_keys(key).key_up(held).perform()


def text(browser, name):
    return browser.execute_script("return document.getElementById(arguments[0]).textContent", name)


def downloaded(folder):
    from selenium.webdriver.support.ui import WebDriverWait

    done = WebDriverWait(folder, 30).until(lambda _: [p for p in folder.iterdir() if p.suffix == ".jsonl"])
    return max(done, key=lambda path: path.stat().st_mtime_ns)


def begin(browser):
    from selenium.webdriver.common.keys import Keys

    press(browser, "Ada Ö.", Keys.ENTER)


def test_rows_are_kept_mended_dropped_and_skipped_by_keys_and_the_file_is_what_is_applied(
    browser, open_page, rows, tmp_path, keep
):
    from selenium.webdriver.common.keys import Keys

    begin(browser)
    press(browser, "k")
    press(browser, "d", "2")
    press(browser, "d", "too dark", Keys.ENTER)
    press(browser, "s")
    keep("review-row")
    press(browser, "m")  # the question has the focus; behind it come the marks and the options
    together(browser, Keys.CONTROL, "a")
    press(browser, "What runs here?", Keys.TAB, Keys.ARROW_DOWN)
    keep("review-mend")
    together(browser, Keys.CONTROL, Keys.ENTER)
    press(browser, "k", "m")
    together(browser, Keys.CONTROL, "a")
    press(browser, "a blue kite")
    together(browser, Keys.CONTROL, Keys.ENTER)
    assert "7 decided: 2 kept, 2 mended, 2 dropped, 1 skipped" in text(browser, "progress")
    press(browser, "w")

    read = read_decisions(downloaded(open_page))
    check_review(dataset(tmp_path / "set", rows), DIGEST, [read])  # nothing that was written is refused
    assert (read.rows, read.reviewer) == (DIGEST, "Ada Ö.")
    told = {
        name: {key: one[key] for key in one if key not in ("id", "time")} for name, one in read.by_id.items()
    }
    answer = "ABCD"[("ABCD".index(rows[4].answer) + 1) % 4]
    assert told == {
        ID(0): {"decision": "keep"},
        ID(1): {"decision": "drop", "reason": "several options are right"},
        ID(2): {"decision": "drop", "reason": "too dark"},
        ID(4): {"decision": "keep", "question": "What runs here?", "answer": answer},
        ID(5): {"decision": "keep"},
        ID(6): {"decision": "keep", "text": "a blue kite"},
    }
    assert troubles(browser) == []


def test_a_row_that_a_gate_refused_says_why_and_is_brought_back_or_left_out_by_keys(
    browser, open_page, rows, tmp_path, keep
):
    refused = [
        Choice(rows[0].id, refused=f"near-duplicate: {HOSTILE}"),
        Choice(rows[1].id, refused="letter-surplus: A is right too often"),
        Choice(rows[2].id),
    ]
    path = tmp_path / "refused.html"
    write_page(ReviewPage("Refused rows", DIGEST, refused, "3 rows"), rows, path)
    browser.get(path.as_uri())
    begin(browser)
    assert text(browser, "refused") == f"refused by a gate: near-duplicate: {HOSTILE}"
    keep("review-refused")
    press(browser, "k")
    assert text(browser, "said") == f"{ID(0)}: brought back"
    press(browser, "d", "1")
    assert text(browser, "said") == f"{ID(1)}: stays out"
    assert browser.execute_script("return document.getElementById('refused').hidden")
    press(browser, "p")
    assert text(browser, "verdict") == "stays out: the answer is wrong"
    press(browser, "w")
    read = read_decisions(downloaded(open_page))
    assert {name: one["decision"] for name, one in read.by_id.items()} == {ID(0): "keep", ID(1): "drop"}
    assert troubles(browser) == []


def test_texts_of_the_data_are_shown_and_never_obeyed(browser, open_page, rows):
    begin(browser)
    shown = browser.execute_script("return document.getElementById('question').textContent")
    assert shown == rows[0].question
    assert browser.execute_script("return window.broken ?? null") is None
    assert browser.title == "Review <of> rows & more"
    assert browser.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert browser.execute_script("return document.querySelectorAll('#row b, #row script').length") == 0
    assert troubles(browser) == []


def test_each_decision_can_be_undone_and_progress_is_there_when_the_page_is_opened_again(browser, open_page):
    begin(browser)
    press(browser, "k", "d", "1")
    press(browser, "u")
    assert "1 decided: 1 kept" in text(browser, "progress")
    assert text(browser, "notes").startswith(ID(1))
    press(browser, "d", "3")
    browser.refresh()
    assert "Ada Ö. · Row 3 of 7 · 2 decided: 1 kept, 0 mended, 1 dropped" in text(browser, "progress")
    press(browser, "u", "u")
    assert "0 decided" in text(browser, "progress")
    press(browser, "u")
    assert text(browser, "said") == "There is nothing to undo."


def test_a_file_is_opened_again_and_one_of_other_rows_is_refused(browser, open_page, tmp_path):
    from selenium.webdriver.common.by import By

    begin(browser)
    press(browser, "k", "k", "w")
    file = downloaded(open_page)
    press(browser, "u", "u")
    field = browser.find_element(By.ID, "file")
    browser.execute_script("arguments[0].hidden = false", field)
    field.send_keys(str(file))
    wait(browser, lambda _: "2 decided: 2 kept" in text(browser, "progress"), 30)
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"rows": "cd" * 32}) + "\n")
    field.send_keys(str(other))
    wait(browser, lambda _: "it decides about other rows" in text(browser, "said"), 30)


def test_escape_leaves_a_row_as_it_was_and_rules_are_told_before_the_file_is_written(browser, open_page):
    from selenium.webdriver.common.keys import Keys

    begin(browser)
    press(browser, "d", Keys.ESCAPE, "m", Keys.ESCAPE)
    assert "0 decided" in text(browser, "progress")
    press(browser, "m")
    together(browser, Keys.CONTROL, "a")
    press(browser, Keys.DELETE)
    together(browser, Keys.CONTROL, Keys.ENTER)
    assert text(browser, "fault") == "The question is empty."
    assert "0 decided" in text(browser, "progress")
