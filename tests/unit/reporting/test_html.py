import re
from html.parser import HTMLParser

import pytest

from blip_core.reporting import Report, Sample, render_report, write_report

HOSTILE = '"><script>alert(1)</script><img src="https://example.org/x.png" onerror=alert(2)>{{ 7 * 7 }}'


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []
        self.text = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


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


def _parse(page):
    tags = Tags()
    tags.feed(page)
    return tags


def test_what_a_model_wrote_is_text_and_never_markup(report):
    tags = _parse(render_report(report))
    names = {name for name, _ in tags.found}
    assert "script" not in names
    assert not any("onerror" in attributes for _, attributes in tags.found)
    assert sum(HOSTILE in text for text in tags.text) == 5


def test_the_page_asks_nobody_for_anything(report):
    tags = _parse(render_report(report))
    sources = [attributes["src"] for _, attributes in tags.found if "src" in attributes]
    assert len(sources) == 4
    assert all(source.startswith("data:image/") for source in sources)
    assert not [name for name, attributes in tags.found if name in {"link", "iframe"} or "href" in attributes]


def test_the_policy_forbids_what_the_page_does_not_need(report):
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', render_report(report)).group(1)
    assert policy.startswith("default-src 'none'")


def test_the_right_option_is_marked(report):
    page = render_report(report)
    assert re.search(r'<li class="right">\s*b\s*</li>', page)


def test_the_page_says_what_the_terminal_says(report, ladder):
    page = " ".join(_parse(render_report(report)).text)
    assert ladder.verdict in page
    assert "76.3 %" in page
    assert "+5.1" in page


def test_a_run_without_curve_sheet_or_samples_has_a_page_too(summary, ladder, tmp_path):
    path = write_report(Report("Bare", summary, ladder), tmp_path / "reports" / "bare.html")
    assert path.read_text(encoding="utf-8").count("<h2>") == 2
