"""What a person does with a report: open the file, look, filter, search; and what a hostile text does."""

from dataclasses import replace

import pytest

from blip_core.reporting import findings_of, write_report
from tests.unit.examples import example
from tests.unit.judged_rows import SEEN, VARIANTS, judged_rows, outcome_of, report_of, scores_of
from tests.unit.reporting.test_texts import scores_of as written_scores

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

EXPECTED = "[{name='tuning-helps', a='flan-t5', b='finetuned', measure='cider'}]"
ROWS = 40
PAGE = 24
PHONE_PX = 390
ROTATED = {"rotations_right": 4, "mean_a": 0.7, "mean_b": 0.1, "mean_c": 0.1, "mean_d": 0.1}
HOSTILE = "</script><script>window.broken = 1</script><img src=x onerror='window.broken = 2'>"
# Runs before anything of the page does: whatever the policy forbids is noted.
WATCH = """
window.refused = [];
const told = (event) => refused.push(`${event.effectiveDirective} ${event.blockedURI}`);
addEventListener("securitypolicyviolation", told);
addEventListener("error", (event) => refused.push(String(event.message)));
"""


@pytest.fixture
def open_page(browser, tmp_path):
    """Writes a report and opens it from disk."""

    def open_it(report):
        path = write_report(report, tmp_path / "report.html")
        browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        browser.get(path.as_uri())

    return open_it


@pytest.fixture
def full():
    answers, examples = judged_rows(ROWS, **ROTATED)
    blind = {name: [replace(row, mode="blind", ranked="A") for row in rows] for name, rows in answers.items()}
    return report_of(answers, examples, scores_of(answers, blind))


def texts(browser, css):
    return browser.execute_script(
        f"return [...document.querySelectorAll('{css}')].map((one) => one.textContent)"
    )


def shown(browser):
    """Ids of the rows that stand on the page."""
    return texts(browser, ".row .tags li:last-child")


def count(browser):
    return texts(browser, "#count")[0]


def choose(browser, field, value):
    script = """
    const control = document.forms.filters.elements[arguments[0]];
    control.value = arguments[1];
    control.dispatchEvent(new Event("input", { bubbles: true }));
    """
    browser.execute_script(script, field, value)


def click(browser, css):
    from selenium.webdriver.common.by import By

    browser.find_element(By.CSS_SELECTOR, css).click()


def troubles(browser):
    """Errors in the console, refusals of the policy, and whatever was asked for beyond the file itself."""
    asked = browser.execute_script(
        "return performance.getEntriesByType('resource').map((one) => one.name)"
        ".filter((name) => !name.startsWith('data:'))"
    )
    console = [
        line["message"] for line in browser.get_log("browser") if line["level"] in ("SEVERE", "WARNING")
    ]
    return console + browser.execute_script("return refused") + asked


def ids(keep):
    """Ids of the rows whose number, or whose answer of the tuned variant, is meant."""
    return [row.id for number, row in enumerate(judged_rows(ROWS)[0]["finetuned"]) if keep(number, row)]


def test_it_opens_from_disk_and_asks_nobody_for_anything(browser, open_page, full, keep):
    open_page(full)
    keep("report-1-top")
    images = "return [...document.images].map((one) => one.complete && one.naturalWidth > 0)"
    assert all(browser.execute_script(images))
    assert len(browser.execute_script(images)) > 3 + PAGE - 1
    assert "The ladder" in texts(browser, "h2")
    assert troubles(browser) == []


def test_what_the_policy_forbids_would_be_noticed(browser, open_page, full):
    open_page(full)
    browser.execute_script(
        "document.body.append(Object.assign(new Image(), { src: 'http://127.0.0.1:9/x.png' }))"
    )
    browser.execute_async_script("setTimeout(arguments[0], 200)")
    assert any("img-src" in trouble for trouble in troubles(browser))


def test_a_page_of_rows_is_drawn_and_the_rest_on_demand(browser, open_page, full, keep):
    open_page(full)
    assert (len(shown(browser)), count(browser)) == (PAGE, "40 of 40 rows, the first 24 shown")
    browser.execute_script("document.getElementById('gallery').scrollIntoView()")
    keep("report-2-rows")
    click(browser, "#more")
    assert shown(browser) == ids(lambda number, _: True)
    assert (count(browser), texts(browser, "#more:not([hidden])")) == ("40 of 40 rows", [])


@pytest.mark.parametrize(
    ("outcome", "meant"),
    [
        ("right", ("right", "gained")),
        ("wrong", ("wrong", "lost")),
        ("gained", ("gained",)),
        ("lost", ("lost",)),
        ("changed", ("gained", "lost")),
    ],
)
def test_outcomes_are_told_apart(browser, open_page, full, outcome, meant):
    open_page(full)
    click(browser, f"input[value={outcome}]")
    expected = ids(lambda number, _: outcome_of(number) in meant)
    assert shown(browser) == expected
    assert count(browser) == f"{len(expected)} of 40 rows"
    assert texts(browser, f"#count-{outcome}") == [str(len(expected))]


def test_kind_category_and_margin_narrow_together(browser, open_page, full, keep):
    open_page(full)
    choose(browser, "kind", "count")
    assert shown(browser) == ids(lambda _, row: row.kind == "count")
    choose(browser, "category", "food")
    click(browser, "input[name=low]")
    expected = ids(lambda number, row: row.kind == "count" and row.category == "food" and number % 7 == 0)
    assert shown(browser) == expected
    assert 0 < len(expected) < 3
    keep("report-3-narrowed")
    choose(browser, "words", "nothing says this")
    assert (shown(browser), count(browser)) == ([], "No row matches")
    assert troubles(browser) == []


def test_words_are_found_in_what_variants_said(browser, open_page, full):
    open_page(full)
    choose(browser, "words", f"{SEEN.upper()}, 17")
    assert shown(browser) == ids(lambda number, _: number == 17)


def test_rows_can_be_seen_by_another_variant_and_by_how_sure_it_is(browser, open_page, full):
    open_page(full)
    choose(browser, "after", "0")
    click(browser, "input[value=right]")
    assert shown(browser) == ids(lambda number, _: number % 5 == 0)
    choose(browser, "order", "unsure")
    assert shown(browser)[:2] == ids(lambda number, _: number in (0, 35))


def test_keys_alone_are_enough(browser, open_page, full):
    from selenium.webdriver.common.keys import Keys

    open_page(full)
    browser.execute_script("document.querySelector('input[value=all]').focus()")
    browser.switch_to.active_element.send_keys(Keys.ARROW_RIGHT)
    assert count(browser) == "20 of 40 rows"
    browser.switch_to.active_element.send_keys(Keys.TAB)
    assert browser.switch_to.active_element.get_attribute("name") == "after"


def test_every_field_has_a_label_and_every_picture_a_text(browser, open_page, full):
    open_page(full)
    fields = "return [...document.querySelectorAll('#filters input, #filters select')]"
    assert browser.execute_script(f"{fields}.length") > 10
    assert browser.execute_script(f"{fields}.filter((one) => !one.labels.length)") == []
    assert browser.execute_script("return [...document.images].filter((one) => !one.alt)") == []
    levels = browser.execute_script(
        "return [...document.querySelectorAll('h1, h2, h3')].map((one) => one.tagName)"
    )
    assert levels[:2] == ["H1", "H2"]
    assert "H3" in levels


def test_what_is_hostile_is_shown_as_text_and_does_nothing(browser, open_page, keep):
    answers, examples = judged_rows(ROWS, description=HOSTILE, generated=HOSTILE)
    examples = [replace(row, question=HOSTILE, a=HOSTILE) for row in examples]
    open_page(report_of(answers, examples, recipe_toml=HOSTILE, note=HOSTILE))
    assert texts(browser, ".said dd > div:first-child")[0] == HOSTILE
    assert texts(browser, ".row h3")[0] == HOSTILE
    browser.execute_script("document.getElementById('gallery').scrollIntoView()")
    keep("report-4-hostile")
    assert browser.execute_script("return window.broken ?? null") is None
    assert troubles(browser) == []


def test_one_variant_without_truth_offers_what_there_is(browser, open_page):
    answers, examples = judged_rows(ROWS, VARIANTS[:1], truth="", generated="", generated_letter="")
    scores = scores_of(answers, is_free=False)
    open_page(report_of(answers, examples, scores))
    assert [name.split()[0] for name in texts(browser, ".chip")] == ["All", "Right", "Wrong", "Truth"]
    assert texts(browser, "label:not([hidden]) > select[name=before]") == []
    click(browser, "input[value=unknown]")
    assert count(browser) == "40 of 40 rows, the first 24 shown"
    assert troubles(browser) == []


def test_a_phone_shows_it_without_scrolling_sideways(browser, open_page, full, keep):
    screen = {"width": PHONE_PX, "height": 850, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    open_page(full)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= PHONE_PX
    browser.execute_script("document.getElementById('gallery').scrollIntoView()")
    keep("report-5-phone")


@pytest.fixture
def texts_page(open_page):
    """A report of two variants that wrote captions, and its rows."""
    scores, answers = written_scores("caption", EXPECTED)
    rows = [
        replace(example(number), id=one.id, picture_id=one.picture_id, task="caption", question="", answer="")
        for number, one in enumerate(answers["flan-t5"])
    ]
    report = report_of(answers, rows, scores)
    open_page(replace(report, summary=replace(report.summary, findings=findings_of(scores))))
    return answers


def test_rows_of_texts_show_what_is_right_and_what_each_wrote(browser, texts_page):
    first = texts(browser, ".row")[0]
    assert f"right: {texts_page['flan-t5'][0].target}" in first
    assert texts(browser, "table.options") == []
    assert "truth unknown" not in first
    assert "names no letter" not in first
    assert texts(browser, "#outcomes label span") == ["All 24", "Answer changed 16"]
    assert browser.execute_script("return refused") == []


def test_findings_say_what_was_expected_and_whether_it_holds(browser, texts_page):
    cells = texts(browser, "#findings + .scroll tbody tr:first-child > *")
    assert cells[:3] == ["tuning-helps", "yes", "finetuned has more than flan-t5: CIDEr-D"]
    assert browser.execute_script("return document.body.scrollWidth <= window.innerWidth")
