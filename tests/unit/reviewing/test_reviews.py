"""Decisions of people: what is a file of them, how far they agree, and what they make of a dataset."""

import json
import random
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from datasets import load_dataset
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa as statsmodels_kappa

from blip_core.annotating.decisions import read_decisions
from blip_core.dataset import read_split
from blip_core.errors import EmptyDataset, TableError, UserMistake
from blip_core.recipes.curation import NearDuplicates
from blip_core.records import REJECTION_SCHEMA, SPLITS, Rejection
from blip_core.reviewing import (
    Splitting,
    apply_review,
    check_review,
    choose,
    cohens_kappa,
    verdicts,
)
from blip_core.store import read_rows, write_rows
from tests.unit.examples import png
from tests.unit.judged_rows import judged_rows
from tests.unit.reviewing.rows import DIGEST, ID, caption, dataset, decisions, questions


def grey(level):
    """Pixels that no other row has."""
    return np.full((8, 8, 3), level, dtype=np.uint8)


MENDED = {"question": "Where is it?\u2028Say so.", "options": ["park", "bus </script>", "sea"], "answer": "C"}


def applied(tmp_path, rows, *files, disputed="drop"):
    """The rows that are left by id, and what was done."""
    folder = dataset(tmp_path / "set", rows)
    reviewed = check_review(folder, DIGEST, [read_decisions(one) for one in files], disputed)
    done = apply_review(folder, reviewed, tmp_path / "new")
    left = {row.id: row for split in SPLITS for row in read_split(tmp_path / "new", split)}
    return left, done


def test_decisions_keep_mend_and_drop_rows_and_all_others_stay_as_they_were(tmp_path):
    rows = questions()
    file = decisions(
        tmp_path / "ada.jsonl",
        {"id": ID(0), "decision": "keep", "time": "2026-01-31T12:00:00.123Z"},
        {"id": ID(1), "decision": "keep", **MENDED},
        {"id": ID(2), "decision": "drop", "reason": "blurred"},
        {"id": ID(3), "decision": "skip"},
        reviewer="Ada",
        time="2026-01-31T12:00:00Z",
    )

    left, done = applied(tmp_path, rows, file)

    before = {row.id: row for row in rows}
    assert set(before) - set(left) == {ID(2)}
    mended = replace(
        before[ID(1)], question=MENDED["question"], a="park", b="bus </script>", c="sea", d="", answer="C"
    )
    assert left[ID(1)] == replace(mended, target="sea", mended=before[ID(1)].target)
    assert all(left[name] == before[name] for name in left if name != ID(1))
    assert (done.kept, done.mended, dict(done.dropped)) == (1, 1, {"dropped-by-review": 1})
    refused = read_rows(tmp_path / "new" / "rejects.parquet", Rejection)
    assert [(one.id, one.stage, one.detail) for one in refused] == [
        ("x", "labels", ""),
        (ID(2), "review", "blurred"),
    ]
    loaded = load_dataset(str(tmp_path / "new"), cache_dir=str(tmp_path / "cache"))
    assert {name: len(split) for name, split in loaded.items()} == done.splits
    card = (tmp_path / "new" / "README.md").read_text()
    assert f"11 rows, what people left of the dataset `{DIGEST}`" in card
    assert "| mended | 1 |" in card


def brought_back(tmp_path, refused, *lines, splitting=None):
    """The dataset of twelve questions after decisions about rows that gates refused."""
    folder = dataset(tmp_path / "set", questions())
    write_rows(
        folder / "rejects.parquet",
        [Rejection(row.id, "curation", "near-duplicate", "looks like another") for row in refused],
        REJECTION_SCHEMA,
    )
    files = [read_decisions(decisions(tmp_path / "ada.jsonl", *lines))]
    reviewed = check_review(folder, DIGEST, files, refused={row.id: row for row in refused})
    done = apply_review(folder, reviewed, tmp_path / "new", splitting)
    return {split: read_split(tmp_path / "new", split) for split in SPLITS}, done


APART = Splitting(near_duplicates=NearDuplicates(enabled=False))


def test_a_refused_row_that_is_kept_comes_back_in_its_place_and_one_that_is_dropped_stays_out(tmp_path):
    new, mended, out = (replace(questions(n + 1)[n], image=png(grey(n))) for n in (20, 21, 22))
    splits, done = brought_back(
        tmp_path,
        [new, mended, out],
        {"id": new.id, "decision": "keep"},
        {"id": mended.id, "decision": "keep", "question": "Who runs?"},
        {"id": out.id, "decision": "drop"},
        splitting=APART,
    )
    rows = {row.id: row for found in splits.values() for row in found}
    assert rows[new.id] == new
    assert (rows[mended.id].question, out.id in rows) == ("Who runs?", False)
    assert all([row.id for row in found] == sorted(row.id for row in found) for found in splits.values())
    assert (done.back, done.left_out, done.rows) == (2, 1, 14)
    left_out = read_rows(tmp_path / "new" / "rejects.parquet", Rejection)
    assert [one.id for one in left_out] == [out.id]
    card = (tmp_path / "new" / "README.md").read_text()
    assert "| refused by gates and brought back | 2 |" in card
    assert load_dataset(str(tmp_path / "new"), cache_dir=str(tmp_path / "c"))


def test_a_refused_row_goes_to_the_split_of_its_scene_and_bridges_none(tmp_path):
    first, second = questions()[0], questions()[1]  # of train and validation
    sibling = replace(first, id=f"{first.id}-more")
    bridge = replace(second, id="zebra", group="zebra", picture_id="zebra", image=png(grey(3)))
    sibling = replace(sibling, image=png(grey(4)))
    both = replace(bridge, group=first.group, image=second.image)
    splits, done = brought_back(
        tmp_path,
        [sibling, both],
        {"id": sibling.id, "decision": "keep"},
        {"id": both.id, "decision": "keep"},
        splitting=APART,
    )
    assert sibling.id in {row.id for row in splits["train"]}
    assert done.bridges == 1
    refused = read_rows(tmp_path / "new" / "rejects.parquet", Rejection)
    assert [(one.id, one.reason) for one in refused if one.stage == "dataset"] == [
        ("zebra", "bridges-splits")
    ]


def test_refused_rows_are_drawn_of_each_reason_in_turn_and_by_one_alone():
    refused = [
        Rejection(f"r{number}", "curation", "rare" if number == 9 else "common", "so it is")
        for number in range(10)
    ]
    found = choose(list, "refused", 2, refused=refused)
    assert {one.refused for one in found} == {"rare: so it is", "common: so it is"}
    assert [one.id for one in choose(list, "refused", 5, "rare", refused=refused)] == ["r9"]
    with pytest.raises(UserMistake, match="for the reason 'odd'; there is common, rare"):
        choose(list, "refused", 5, "odd", refused=refused)
    with pytest.raises(EmptyDataset, match="gates refused none"):
        choose(list, "refused", 5)


def test_a_split_that_a_review_empties_is_named_no_more(tmp_path):
    rows = questions(3)
    left, done = applied(tmp_path, rows, decisions(tmp_path / "a.jsonl", {"id": ID(2), "decision": "drop"}))
    assert (len(left), done.splits["test"]) == (2, 0)
    assert "split: test" not in (tmp_path / "new" / "README.md").read_text()
    assert set(load_dataset(str(tmp_path / "new"), cache_dir=str(tmp_path / "c"))) == {"train", "validation"}


def test_a_review_that_leaves_nothing_to_train_on_is_refused(tmp_path):
    file = decisions(tmp_path / "a.jsonl", {"id": ID(0), "decision": "drop"})
    with pytest.raises(EmptyDataset, match="no row to train on"):
        applied(tmp_path, questions(3), file)


def test_the_majority_decides_and_a_tie_is_dropped_or_kept_as_asked(tmp_path):
    said = {
        "ada": [{"id": ID(0), "decision": "drop"}, {"id": ID(1), "decision": "drop"}],
        "ben": [{"id": ID(0), "decision": "drop", "reason": "dark"}, {"id": ID(1), "decision": "keep"}],
        "eva": [{"id": ID(0), "decision": "keep"}, {"id": ID(1), "decision": "skip"}],
    }
    files = [decisions(tmp_path / f"{who}.jsonl", *lines, reviewer=who) for who, lines in said.items()]
    for disputed, kept in (("drop", False), ("keep", True)):
        found = verdicts({one.reviewer: one for one in map(read_decisions, files)}, disputed)
        assert (found[ID(0)].is_drop, found[ID(0)].is_disputed) == (True, False)
        assert (found[ID(1)].is_drop, found[ID(1)].is_disputed) == (not kept, True)
    left, done = applied(tmp_path, questions(), *files)
    assert {ID(0), ID(1)} & set(left) == set()
    assert dict(done.dropped) == {"dropped-by-review": 1, "review-disputed": 1}
    assert "| pair 1 | 2 | 1 | 0.000 |" in (tmp_path / "new" / "README.md").read_text()


def test_files_of_one_reviewer_are_told_apart_before_anything_is_made(tmp_path):
    files = [decisions(tmp_path / name, reviewer="Ada") for name in ("one.jsonl", "two.jsonl")]
    with pytest.raises(UserMistake, match=r"one\.jsonl and .*two\.jsonl are both of the reviewer 'Ada'"):
        applied(tmp_path, questions(), *files)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ({"id": "stranger", "decision": "drop"}, r"1 rows that are not there, such as stranger \(line 2\)"),
        ({"id": "stranger", "decision": "skip"}, "1 rows that are not there"),
        ({"id": ID(0), "decision": "Keep"}, "line 2: decision is 'Keep'; allowed: keep, drop, skip"),
        ({"id": ID(0), "decision": "keep", "answer": "E"}, "line 2: answer is 'E', .* A, B, C, D"),
        ({"id": ID(0), "decision": "keep", "options": ["x", "y"], "answer": "C"}, "answer is 'C', .* A, B"),
        ({"id": ID(3), "decision": "keep", "options": ["x", "y"]}, "line 2: answer is 'D', .* A, B"),
        ({"id": ID(0), "decision": "keep", "options": ["x", " x "]}, "line 2: two options say the same"),
        ({"id": ID(0), "decision": "keep", "options": ["x", ""]}, "an option is empty"),
        ({"id": ID(0), "decision": "keep", "options": ["x"]}, "1 options; allowed: 2 to 10"),
        ({"id": ID(0), "decision": "keep", "options": "x, y"}, "options must be a list of texts"),
        ({"id": ID(0), "decision": "keep", "question": " "}, "question is empty"),
        ({"id": ID(0), "decision": "keep", "text": "a frog"}, "has options, .* not text"),
        ({"id": ID(0), "decision": "keep", "question": "?" * 10_001}, "more than 10,000 characters"),
        ({"id": ID(0), "decision": "keep", "time": "yesterday"}, "time is 'yesterday'"),
        ({"id": ID(0), "decision": "keep", "question": "\ud800?"}, "half a character"),
        ({"id": ID(0), "decision": "drop", "reason": "so\x00"}, "half a character or a control character"),
        ({"id": ID(0), "decision": "keep", "options": ["\udfff", "y"]}, "half a character"),
        ({"id": ID(0), "decision": "keep", "score": 1}, "score is not known"),
        ({"id": 7, "decision": "keep"}, "must be texts"),
        ('["a list"]\n', "line 2 must hold a JSON object"),
        ("[" * 100_000 + "\n", "line 2 is no JSON"),
        ('{"id": "' + ID(0) + '", "decision": NaN}\n', "line 2 is no JSON"),
    ],
)
def test_a_line_that_is_no_decision_about_these_rows_names_file_line_and_rule(tmp_path, line, told):
    with pytest.raises(TableError, match=rf"ada\.jsonl.*{told}"):
        applied(tmp_path, questions(4), decisions(tmp_path / "ada.jsonl", line))
    assert not (tmp_path / "new").exists()


def test_a_caption_is_mended_by_its_text_alone(tmp_path):
    rows = [caption(number) for number in range(3)]
    file = decisions(tmp_path / "a.jsonl", {"id": ID(0), "decision": "keep", "text": "a blue kite"})
    left, _ = applied(tmp_path, rows, file)
    assert (left[ID(0)].target, left[ID(0)].mended) == ("a blue kite", "a red kite")
    folder = tmp_path / "set"
    for name, put in (("question", "Why?"), ("answer", "A"), ("options", ["x", "y"])):
        bad = decisions(tmp_path / "bad.jsonl", {"id": ID(1), "decision": "keep", name: put})
        with pytest.raises(TableError, match=f"is a caption and has no {name}; mend its text"):
            check_review(folder, DIGEST, [read_decisions(bad)])


@pytest.mark.parametrize(
    ("head", "told"),
    [
        ({"rows": "cd" * 32}, "decisions about another dataset are not taken"),
        ({"rows": DIGEST[:11]}, "at least 12 characters"),
        ({"rows": DIGEST, "who": "Ada"}, "who is not known; allowed: reviewer, rows, time"),
        ({"rows": DIGEST, "time": "late"}, "line 1: time is 'late'"),
    ],
)
def test_a_file_about_other_rows_is_refused(tmp_path, head, told):
    path = tmp_path / "ada.jsonl"
    path.write_text(json.dumps(head) + "\n")
    with pytest.raises(TableError, match=told):
        applied(tmp_path, questions(3), path)


def test_ends_of_lines_within_texts_and_of_other_systems_are_no_trouble(tmp_path):
    path = tmp_path / "ada.jsonl"
    lines = [
        {"rows": DIGEST[:12].upper()},
        {"id": ID(0), "decision": "keep", "question": "one\u2028two\x85three"},
    ]
    path.write_text(
        "\ufeff" + "\r\n\r\n".join(json.dumps(one, ensure_ascii=False) for one in lines), encoding="utf-8"
    )
    found = read_decisions(path)
    assert found.by_id[ID(0)]["question"] == "one\u2028two\x85three"
    assert found.lines == {ID(0): 3}


@given(st.text())
def test_no_text_breaks_the_reading_of_a_file(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_text(json.dumps({"rows": DIGEST}) + "\n" + text, encoding="utf-8", errors="surrogatepass")
    with suppress(TableError):
        read_decisions(path)


def test_kappa_is_what_sklearn_and_statsmodels_say():
    draw = random.Random(7)
    names = ["keep", "mend", "drop"]
    for _ in range(30):
        first = [draw.choice(names) for _ in range(40)]
        pairs = [(one, one if draw.random() < 0.6 else draw.choice(names)) for one in first]
        kappa = cohens_kappa(pairs)
        table = [[pairs.count((one, other)) for other in names] for one in names]
        assert kappa == pytest.approx(cohen_kappa_score(*zip(*pairs, strict=True)))
        assert kappa == pytest.approx(statsmodels_kappa(table, return_results=False))


def test_kappa_is_not_defined_where_chance_alone_makes_people_agree():
    assert cohens_kappa([("keep", "keep")] * 9) is None
    assert cohens_kappa([]) is None
    assert cohens_kappa([("keep", "drop"), ("drop", "keep")]) == -1.0


def test_a_sample_does_not_hang_on_the_rows_order_and_another_seed_draws_another():
    rows = questions(40)
    drawn = [one.id for one in choose(lambda: rows, "sample", 10)]
    assert drawn == [one.id for one in choose(lambda: rows[::-1], "sample", 10)]
    assert drawn != [one.id for one in choose(lambda: rows, "sample", 10, seed=1)]


def test_rows_of_the_lowest_score_are_doubted_first():
    rows = [replace(row, scores={"judge": -number, "clip": 0.1}) for number, row in enumerate(questions(5))]
    found = choose(lambda: rows, "doubted", 2, "judge")
    assert [(one.id, one.why) for one in found] == [(ID(4), "judge -4"), (ID(3), "judge -3")]
    with pytest.raises(UserMistake, match=r"which one is not said.*there is clip, judge"):
        choose(lambda: rows, "doubted", 2)
    with pytest.raises(UserMistake, match="'faith'; there is none"):
        choose(lambda: questions(5), "doubted", 2, "faith")


def test_rows_that_models_answered_otherwise_come_first():
    answers, examples = judged_rows(8)
    said = [row for rows in answers.values() for row in rows]
    truth = {row.id: row.answer for row in examples}
    found = choose(lambda: examples, "disagreed", 100, predictions=said)
    by_id = {name: {one.ranked for one in said if one.id == name} for name in truth}
    odd = {name for name, ranked in by_id.items() if len(ranked) > 1 or truth[name] not in ranked}
    assert {one.id for one in found} == odd
    with pytest.raises(EmptyDataset, match="no two models answered"):
        choose(lambda: examples, "disagreed", 100)
