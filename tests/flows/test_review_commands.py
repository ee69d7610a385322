"""`foundry review` and `foundry review apply` on a small store."""

import json
import re

import pytest

from blip_core.errors import ReviewAwaited
from blip_core.records import EXAMPLE_SCHEMA
from blip_core.store import write_rows
from flows.rows.awaiting import review_awaited
from tests.commands import foundry
from tests.unit.grown_store import GrownStore


@pytest.fixture
def grown(home):
    return GrownStore(home / "store")


def decisions(path, digest, *lines, **head):
    path.write_text("".join(json.dumps(one) + "\n" for one in ({"rows": digest, **head}, *lines)))
    return str(path)


def page_data(path):
    found = re.search(r'id="review-data">(.*?)</script>', path.read_text(), re.DOTALL)
    return json.loads(found[1])


def test_the_page_holds_the_rows_their_pictures_and_the_digest_that_decisions_name(grown, tmp_path):
    page = tmp_path / "pages" / "review.html"
    done = foundry("review", "gallery-vqa", "--count", "3", "--out", str(page), "--json")
    assert done.code == 0, done.err
    assert done.told == {"page": str(page), "digest": grown.dataset.digest, "rows": 3}
    data = page_data(page)
    assert (data["digest"], len(data["rows"])) == (grown.dataset.digest, 3)
    assert all(data["pictures"][row["picture"]].startswith("data:image/") for row in data["rows"])
    assert "://" not in page.read_text()  # nothing that could be fetched
    assert grown.dataset.digest in foundry("review", "gallery-vqa", "--out", str(page)).out


def test_decisions_make_a_version_that_names_its_parent_once_however_often_they_are_applied(grown, tmp_path):
    first, second = (row.id for row in grown.examples[:2])
    ada = decisions(
        tmp_path / "ada.jsonl", grown.dataset.digest, {"id": first, "decision": "drop"}, reviewer="Ada"
    )
    ben = decisions(
        tmp_path / "ben.jsonl",
        grown.dataset.digest[:12],
        {"id": first, "decision": "drop"},
        {"id": second, "decision": "keep", "question": "Who runs here?"},
    )

    tried = foundry("review", "apply", ada, ben, "--dry-run", "--json")
    done = foundry("review", "apply", ada, ben, "--json")

    assert tried.code == done.code == 0, done.err
    assert "digest" not in tried.told
    assert tried.told["agreement"] == [{"first": "Ada", "second": "ben", "rows": 1, "same": 1, "kappa": None}]
    made = foundry("datasets", done.told["digest"], "--json").told
    assert (made["rows"], made["made_from"]) == (grown.dataset.rows - 1, {"dataset": grown.dataset.key})
    assert made["rejected"]["dropped-by-review"] == 1
    assert foundry("review", "apply", ada, ben, "--json").told == done.told
    assert f"made from {grown.dataset.digest[:12]}" in foundry("review", "apply", ada, ben).out
    card = tmp_path / "card.md"
    pushed = foundry("datasets", "push", done.told["digest"][:12], "owner/name", "--card", str(card))
    assert pushed.code == 0, pushed.err
    assert f"made from the version `{grown.dataset.digest}`" in card.read_text()
    assert foundry("trace", second, "--dataset", done.told["digest"][:12], "--json").code == 0


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"id": "stranger", "decision": "drop"}, "1 rows that are not there, such as stranger (line 2)"),
        ({"id": "x", "decision": "maybe"}, "line 2: decision is 'maybe'"),
    ],
)
def test_a_file_that_was_edited_wrongly_is_one_sentence_and_makes_nothing(grown, tmp_path, line, told):
    file = decisions(tmp_path / "ada.jsonl", grown.dataset.digest, line)
    done = foundry("review", "apply", file)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert told in done.err
    assert len(foundry("datasets", "--json").told["datasets"]) == 1


def test_files_that_decide_about_no_row_make_nothing(grown, tmp_path):
    file = decisions(
        tmp_path / "ada.jsonl", grown.dataset.digest, {"id": grown.examples[0].id, "decision": "skip"}
    )
    done = foundry("review", "apply", file)
    assert (done.code, len(done.err.splitlines())) == (2, 1)
    assert "decides about no row" in done.err
    assert len(foundry("datasets", "--json").told["datasets"]) == 1


def test_a_file_about_a_dataset_that_is_not_here_and_one_about_another_are_refused(grown, tmp_path):
    file = decisions(tmp_path / "ada.jsonl", "f" * 64)
    assert "no dataset here has a digest" in foundry("review", "apply", file).err
    assert "another dataset" in foundry("review", "apply", file, "--dataset", "gallery-vqa").err


def test_rows_before_a_step_of_a_recipe_are_named_by_their_digest(grown, tmp_path):
    def build(folder):
        return {"rows": write_rows(folder / "rows.parquet", grown.examples, EXAMPLE_SCHEMA)}

    rows = grown.store.publish(grown.store.key("annotated", {"step": "draft"}), "annotated", build)
    page = tmp_path / "review.html"
    done = foundry("review", rows.digest[:12], "--out", str(page), "--json")
    assert done.code == 0, done.err
    assert (done.told["digest"], done.told["rows"]) == (rows.digest, len(grown.examples))


def test_a_run_of_no_deployment_is_not_suspended_and_says_what_it_waits_for():
    with pytest.raises(ReviewAwaited, match="nobody has decided"), review_awaited():
        raise ReviewAwaited("nobody has decided yet", "ab" * 32, "decisions.jsonl")


def test_a_file_that_no_suspended_run_waits_for_is_one_sentence(home, tmp_path):
    done = foundry("review", "resume", decisions(tmp_path / "ada.jsonl", "f" * 64))
    assert (done.code, len(done.err.splitlines())) == (2, 1)
