"""VQA v2, OK-VQA and GQA in the files they come in: what is read, and what is refused."""

import json
import shutil

import pytest

from blip_core.errors import TableError
from blip_core.recipes import NativeEvaluation, NativeSource
from blip_core.sources import NativeExamples, check_native, count_native, native_digest, read_native
from tests.published_sets import asked_rows, write_gqa, write_vqa

WRITERS = {"vqav2": write_vqa, "okvqa": lambda root, rows: write_vqa(root, rows, prefix=""), "gqa": write_gqa}
QUESTIONS = {
    "vqav2": "v2_OpenEnded_mscoco_val2014_questions.json",
    "okvqa": "OpenEnded_mscoco_val2014_questions.json",
    "gqa": "testdev_balanced_questions.json",
}


@pytest.fixture(scope="module")
def rows():
    return asked_rows(10)


@pytest.fixture(params=WRITERS)
def layout(request):
    return request.param


@pytest.fixture
def root(layout, rows, tmp_path):
    return WRITERS[layout](tmp_path / layout, rows)


def judged(layout, root, **given):
    return NativeEvaluation(kind="native", layout=layout, path=str(root), **given)


def change(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def entries(content):
    """The questions of either form, as a list that can be changed in place."""
    return content["questions"] if "questions" in content else list(content.values())


def reasons(refused):
    return [(one.id, one.reason) for one in refused]


def test_every_row_is_read_with_its_picture_question_and_answers(layout, root, rows):
    read, refused = read_native(judged(layout, root), "vqa")
    assert not refused
    assert [(one.question, one.target) for one in read] == [(one.question, one.target) for one in rows]
    assert {one.task for one in read} == {"vqa"}
    people = 10 if layout != "gqa" else 0
    assert {len(one.references) for one in read} == {people}
    assert len({one.picture_id for one in read}) == len({one.image for one in rows})


def test_a_plain_wording_is_lower_cased_and_without_some_signs(layout, root):
    change(
        root / QUESTIONS[layout], lambda content: entries(content)[0].update(question='Is (this) a "Dog"?')
    )
    first = next(iter(NativeExamples(judged(layout, root, settings={"wording": "plain"}), "vqa")))
    assert first.question == "is this a dog?"


@pytest.mark.parametrize("limit", [1, 4, 10, 99])
def test_a_limit_takes_rows_from_the_start(layout, root, limit):
    some = judged(layout, root, limit=limit)
    assert count_native(some) == len(list(NativeExamples(some, "vqa"))) == min(limit, 10)


def test_the_digest_follows_questions_pictures_and_settings_but_not_the_place(layout, root, tmp_path):
    first = native_digest(judged(layout, root))
    shutil.copytree(root, tmp_path / "elsewhere")
    assert native_digest(judged(layout, tmp_path / "elsewhere")) == first
    found = {first, native_digest(judged(layout, root, limit=3))}
    found.add(native_digest(judged(layout, root, settings={"wording": "plain"})))
    change(root / QUESTIONS[layout], lambda content: entries(content)[0].update(question="Another?"))
    found.add(native_digest(judged(layout, root)))
    picture = next(root.rglob("*.jpg"))
    picture.write_bytes(picture.read_bytes() + b" ")
    found.add(native_digest(judged(layout, root)))
    assert len(found) == 5


def test_a_missing_file_is_named_with_where_to_get_it(layout, root):
    (root / QUESTIONS[layout]).unlink()
    with pytest.raises(TableError, match=rf"{QUESTIONS[layout]} is not there.*Where to get it: .*(org|gqa)"):
        read_native(judged(layout, root), "vqa")


@pytest.mark.parametrize("path", ["nowhere", "file"])
def test_a_path_that_is_no_folder_is_told(layout, tmp_path, path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TableError, match="is no folder; path names the one that"):
        count_native(judged(layout, tmp_path / path))


@pytest.mark.parametrize("text", ["", "{", '{"questions": [', "[1, 2", '{"a": NaN,}', "\udcff"])
def test_a_file_that_is_no_whole_json_is_named(layout, root, text):
    (root / QUESTIONS[layout]).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(
        TableError, match=rf"{QUESTIONS[layout]} is no (whole JSON|text in UTF-8).*fetch it again"
    ):
        read_native(judged(layout, root), "vqa")


@pytest.mark.parametrize("content", [[], 3, "text", None])
def test_a_file_of_another_form_is_named(layout, root, content):
    (root / QUESTIONS[layout]).write_text(json.dumps(content))
    with pytest.raises(TableError, match=r"holds (no list named 'questions'|a \w+ where an object is owed)"):
        read_native(judged(layout, root), "vqa")


@pytest.mark.parametrize(
    ("change_of", "reason"),
    [
        ({"question": ""}, "empty-text"),
        ({"question": None}, "empty-text"),
        ({"question": "a" * 3_000}, "too-long-text"),
        ({"question": "what </s> now"}, "reserved-token"),
        ({"question": "what\x07?"}, "control-character"),
        ({"image_id": None, "imageId": None}, "missing-picture"),
        (
            {"image_id": 5, "imageId": "../n0"},
            ("contradicting-annotation", "link-leads-out", "unreadable-picture"),
        ),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_with_its_reason_and_the_rest_is_read(
    layout, root, change_of, reason
):
    change(root / QUESTIONS[layout], lambda content: entries(content)[2].update(change_of))
    read, (refused,) = read_native(judged(layout, root), "vqa")
    assert len(read) == 9
    assert refused.reason in ((reason,) if isinstance(reason, str) else reason)
    assert refused.detail.startswith("row 3: ")


def test_a_picture_that_is_gone_or_broken_costs_its_rows_alone(layout, root, rows):
    gone, broken = sorted(root.rglob("*.jpg"))[:2]
    gone.unlink()
    broken.write_bytes(b"no picture")
    read, refused = read_native(judged(layout, root), "vqa")
    assert len(read) + len(refused) == 10
    assert {one.reason for one in refused} == {"unreadable-picture"}
    # looking at the rows before a run finds what is gone, and decodes nothing
    assert {one.reason for one in check_native(judged(layout, root), "vqa")} == {"missing-picture"}


def test_where_most_rows_are_refused_the_set_is(layout, root):
    def empty(content):
        for one in entries(content)[:6]:
            one["question"] = ""

    change(root / QUESTIONS[layout], empty)
    with pytest.raises(TableError, match=r"6 of 10 rows cannot be used.*empty-text 6"):
        read_native(judged(layout, root), "vqa")


def test_what_judges_has_to_hold_throughout(layout, root):
    change(
        root / QUESTIONS[layout], lambda content: [one.update(question="") for one in entries(content)[3:5]]
    )
    with pytest.raises(TableError, match=r"question is empty \(2 such rows in all\); .*every row of"):
        NativeExamples(judged(layout, root), "vqa").check()


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda told: told.pop(2), "missing-annotation"),
        (lambda told: told.append(told[2]), "repeated-annotation"),
        (lambda told: told[2].update(answers=[]), "unreadable-answers"),
        (lambda told: told[2].update(answers=["yes"]), "unreadable-answers"),
        (lambda told: told[2].update(answers=[{"answer": 3}]), "unreadable-answers"),
        (lambda told: told[2].update(answers=[{"answer": " "}]), "empty-text"),
        (lambda told: told[2].update(image_id=7), "contradicting-annotation"),
    ],
)
def test_a_question_without_a_sound_annotation_is_refused(rows, tmp_path, edit, reason):
    root = write_vqa(tmp_path / "set", rows)
    change(root / "v2_mscoco_val2014_annotations.json", lambda content: edit(content["annotations"]))
    read, refused = read_native(judged("vqav2", root), "vqa")
    assert len(read) == 9
    assert reasons(refused) == [("1003", reason)]


@pytest.mark.parametrize("odd", [3, None, {}, {"question_id": "x"}])
def test_what_is_no_question_is_refused(rows, tmp_path, odd):
    root = write_vqa(tmp_path / "set", rows)
    change(root / QUESTIONS["vqav2"], lambda content: content["questions"].insert(1, odd))
    _, refused = read_native(judged("vqav2", root), "vqa")
    assert reasons(refused) == [("question-2", "not-an-object")]


def test_an_id_that_comes_twice_is_refused_the_second_time(rows, tmp_path):
    root = write_vqa(tmp_path / "set", rows)
    change(root / QUESTIONS["vqav2"], lambda content: content["questions"].append(content["questions"][0]))
    read, refused = read_native(judged("vqav2", root), "vqa")
    assert len(read) == 10
    assert reasons(refused) == [("1001", "repeated-id")]


@pytest.mark.parametrize("layout", ["vqa", "coco", ""])
def test_an_unknown_layout_is_refused_with_those_that_there_are(layout):
    with pytest.raises(ValueError, match=r"allowed: vqav2, okvqa, gqa|should match pattern"):
        NativeSource(kind="native", layout=layout, path="x")


@pytest.mark.parametrize("settings", [{"split": "test2015"}, {"wordings": "plain"}, {"wording": 3}])
def test_settings_that_a_layout_does_not_know_are_refused(settings):
    with pytest.raises(ValueError, match="vqav2 takes other settings"):
        NativeSource(kind="native", layout="vqav2", path="x", settings=settings)
