import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from blip_core.curation import GateCount, GateSample
from blip_core.reporting import Report, Sample, Summary, render_report, write_report
from blip_core.reporting.markdown import run_page
from tests.unit.judged_rows import VARIANTS, judged_rows, report_of, scores_of

HOSTILE = '"></script><script>alert(1)</script><img src="https://example.org/x" onerror=f()>{{ 7 * 7 }}<!--'
ROTATED = {"rotations_right": 4, "mean_a": 0.7, "mean_b": 0.1, "mean_c": 0.1, "mean_d": 0.1}
MOST_BYTES = 6_000_000


class Page(HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found = []
        self.text = []
        self.headings = []
        self.scripts = []
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "h2":
            self.headings.append("")
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        self._inside = ""

    def handle_data(self, data):
        if self._inside in ("script", "style"):
            self.scripts[-1:] = [self.scripts[-1] + data] if self._inside == "script" else self.scripts[-1:]
            return
        self.text.append(data)
        if self._inside == "h2":
            self.headings[-1] += data


@pytest.fixture
def report(summary, ladder, png):
    return Report(
        title="Gallery",
        summary=summary,
        ladder=ladder,
        curve=[{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0, "validation_loss": 1.1}],
        sheet_png=png,
        samples=[Sample(png, HOSTILE, HOSTILE, HOSTILE, (HOSTILE, "b", "c", "d"), "B")],
        recipe_toml=HOSTILE,
        note="Pocket.",
    )


@pytest.fixture(scope="module")
def full():
    """Everything that a page can show, written by somebody hostile."""
    answers, examples = judged_rows(40, description=HOSTILE, generated=HOSTILE, **ROTATED)
    examples = [replace(row, question=HOSTILE, a=HOSTILE) for row in examples]
    blind = {name: [replace(row, mode="blind", ranked="A") for row in rows] for name, rows in answers.items()}
    return render_report(report_of(answers, examples, scores_of(answers, blind)))


def shown(page):
    return " ".join(" ".join(Page(page).text).split())


def test_what_a_model_wrote_is_text_and_never_markup(report):
    page = Page(render_report(report))
    names = {name for name, _ in page.found}
    assert "script" not in names
    assert not any("onerror" in attributes for _, attributes in page.found)
    assert sum(HOSTILE in text for text in page.text) == 5


def test_rows_reach_the_page_as_data_that_nothing_can_break_out_of(full):
    page = Page(full)
    kinds = [attributes.get("type", "") for name, attributes in page.found if name == "script"]
    assert kinds == ["application/json", ""]
    rows = json.loads(page.scripts[0])["rows"]
    assert len(rows) == 40
    assert {rows[0]["question"], rows[0]["options"][0], rows[0]["answers"][0]["description"]} == {HOSTILE}
    assert not any("onerror" in attributes for _, attributes in page.found)
    assert full.count("example.org") == json.dumps(rows).count("example.org")


def test_the_page_asks_nobody_for_anything(report, full):
    for text in (render_report(report), full):
        page = Page(text)
        sources = [attributes["src"] for _, attributes in page.found if "src" in attributes]
        assert all(source.startswith("data:image/") for source in sources)
        links = [attributes["href"] for _, attributes in page.found if "href" in attributes]
        assert all(link.startswith("#") for link in links)
        assert not [name for name, _ in page.found if name in {"link", "iframe", "object", "base"}]


def test_links_of_the_page_lead_somewhere(full):
    page = Page(full)
    places = {attributes["id"] for _, attributes in page.found if "id" in attributes}
    links = {attributes["href"][1:] for _, attributes in page.found if "href" in attributes}
    assert links <= places
    assert {"ladder", "differences", "modes", "parts", "letters", "calibration", "gallery"} <= links


def test_the_policy_allows_our_own_script_and_style_and_nothing_else(full):
    attributes = next(one for name, one in Page(full).found if one.get("http-equiv"))
    policy = dict(rule.strip().split(" ", 1) for rule in attributes["content"].split(";"))
    style, script = re.search(r"<style>(.*?)</style>", full, re.S).group(1), Page(full).scripts[1]
    assert policy == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": f"'{digest(style)}'",
        "script-src": f"'{digest(script)}'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
    }
    assert not [
        1 for _, one in Page(full).found if "style" in one or any(name.startswith("on") for name in one)
    ]


def digest(text):
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_all_parts_stand_under_their_headings(full):
    assert Page(full).headings == [
        "The ladder",
        "Differences on the same questions",
        "With less to see",
        "Kinds and categories",
        "Letters: which were right, which were chosen",
        "Calibration: how far probabilities hold",
        "Rows to leaf through",
        "Dataset and stages",
    ]
    for text in (
        "Too few rows were judged.",
        "right in all rotations",
        "neither picture nor description",
    ):
        assert text in shown(full)


def test_the_right_option_is_marked(report):
    page = render_report(report)
    assert re.search(r'<li class="right">\s*b\s*</li>', page)


def test_the_page_says_what_the_terminal_says(report, ladder):
    page = shown(render_report(report))
    assert ladder.verdict in page
    assert "76.3 %" in page
    assert "+5.1" in page


def test_a_run_without_curve_sheet_or_samples_has_a_page_too(summary, ladder, tmp_path):
    path = write_report(Report("Bare", summary, ladder), tmp_path / "reports" / "bare.html")
    page = Page(path.read_text(encoding="utf-8"))
    assert page.headings == ["The ladder", "Differences on the same questions", "Dataset and stages"]
    assert page.scripts == []


def test_one_variant_alone_has_a_page_without_differences():
    answers, examples = judged_rows(12, VARIANTS[:1], generated="", generated_letter="")
    page = render_report(report_of(answers, examples, scores_of(answers, is_free=False)))
    assert "Differences on the same questions" not in Page(page).headings
    assert "invalid" not in shown(page)
    assert json.loads(Page(page).scripts[0])["pair"] == [0, 0]


def test_many_variants_stand_side_by_side():
    names = [f"variant-{number}" for number in range(7)]
    page = render_report(report_of(*judged_rows(12, names)))
    assert page.count("<caption>") == len(names)
    assert json.loads(Page(page).scripts[0])["variants"] == names


def test_rows_without_truth_are_told(full):
    answers, examples = judged_rows(12)
    answers = {name: [replace(rows[0], truth=""), *rows[1:]] for name, rows in answers.items()}
    assert "1 rows of unknown truth are left out" in shown(render_report(report_of(answers, examples)))
    assert "unknown truth" not in shown(full)


def test_a_drawn_part_of_the_rows_is_told_and_the_page_stays_small(noisy_jpeg):
    answers, examples = judged_rows(600)
    own = [replace(row, image=noisy_jpeg, picture_id=row.id) for row in examples]
    answers = {name: [replace(row, picture_id=row.id) for row in rows] for name, rows in answers.items()}
    samples = [Sample(noisy_jpeg, "", "", "", ("a", "b", "c", "d"), "A")] * 6
    page = render_report(report_of(answers, own, samples=samples, sheet_png=noisy_jpeg))
    assert "240 of 600 rows, drawn by a hash of their ids" in shown(page)
    assert len(page.encode()) < MOST_BYTES


def test_equal_runs_give_equal_pages():
    pages = {render_report(report_of(*judged_rows(12))) for _ in range(2)}
    assert len(pages) == 1


def test_the_funnel_stands_on_the_page_with_hostile_rows_as_text(report):
    refused = GateSample("x", HOSTILE, "a frog", f"markup: {HOSTILE}")
    gates = (
        GateCount("hostile_texts", 30, 1, "hostile texts", {"markup": 1}, (refused,)),
        GateCount("lengths", 29, 0, kept_samples=(GateSample("y", "What?", "a bus"),)),
    )
    page = Page(render_report(replace(report, gates=gates)))
    plain = Page(render_report(report))

    text = " ".join(page.text)
    assert "markup 1" in text
    assert f"markup: {HOSTILE}" in text
    assert page.scripts == plain.scripts
    assert "markup 1" not in " ".join(plain.text)


def test_what_was_measured_of_doubtful_labels_stands_on_the_page(report):
    made = {"wrong_answers": {"estimated": {"confidence": 0.114}, "allowed": 0.25}}
    assert "estimated by confidence 11.4 %" in " ".join(Page(render_report(replace(report, made=made))).text)
    assert "Doubtful labels" not in render_report(report)


def test_prefect_is_told_how_many_rows_came_and_were_refused(summary, ladder):
    dataset = replace(summary.dataset, gates={"lengths": (1_000, 3)})

    assert "| lengths | 1,000 | 3 |" in run_page(replace(summary, dataset=dataset), ladder, {})
    assert Summary.from_dict(replace(summary, dataset=dataset).to_dict()).dataset == dataset
