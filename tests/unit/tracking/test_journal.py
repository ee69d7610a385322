import pytest

from blip_core.errors import NotANumber
from blip_core.tracking import JournalTracker
from blip_core.tracking.journal import Journal, is_being_written, read_journal


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.jsonl"


def test_entries_are_readable_before_the_journal_is_closed(path):
    journal = Journal(path)
    journal.append("metrics", {"values": {"loss": 1.5}, "step": 3})
    (entry,) = read_journal(path)
    journal.close()
    assert (entry.kind, entry.number, entry.data) == ("metrics", 0, {"values": {"loss": 1.5}, "step": 3})


def test_a_line_torn_by_a_kill_is_left_out_and_cut_off_by_the_next_writer(path):
    journal = Journal(path)
    journal.append("tags", {"values": {"a": "b"}})
    journal.close()
    with path.open("ab") as file:
        file.write(b'{"kind": "met')
    assert [entry.kind for entry in read_journal(path)] == ["tags"]
    again = Journal(path)
    again.append("finish", {"status": "KILLED"})
    again.close()
    assert [(entry.number, entry.kind) for entry in read_journal(path)] == [(0, "tags"), (1, "finish")]


def test_a_second_writer_is_refused_and_others_see_that_it_is_written(path):
    journal = Journal(path)
    assert is_being_written(path)
    with pytest.raises(BlockingIOError):
        Journal(path)
    journal.close()
    assert not is_being_written(path)


def test_a_kept_file_outlives_its_original(path, tmp_path):
    original = tmp_path / "curve.png"
    original.write_bytes(b"picture")
    journal = Journal(path)
    kept = journal.keep(original)
    journal.close()
    original.unlink()
    assert (tmp_path / kept).read_bytes() == b"picture"


def test_text_of_other_scripts_comes_back_as_it_was(path):
    journal = Journal(path)
    journal.append("tags", {"values": {"title": "갤러리\nfür alle"}})
    journal.close()
    assert read_journal(path)[0].data["values"]["title"] == "갤러리\nfür alle"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_metric_that_is_no_number_is_recorded_nowhere(tmp_path, value):
    run = JournalTracker(tmp_path).start("gallery", "x", {})
    before = run._journal.path.read_bytes()

    with pytest.raises(NotANumber, match=f"metrics of step 3: train/loss is {value}"):
        run.metrics({"train/rows": 1.0, "train/loss": value}, step=3)
    with pytest.raises(NotANumber, match=f"metrics of tuned: accuracy is {value}"):
        run.adapter(tmp_path, "tuned", {"accuracy": value})
    with pytest.raises(NotANumber, match=r"data\[0\]\[1\] is "):
        run.table([{"id": "x", "loss": value}], "t.json")

    assert run._journal.path.read_bytes() == before
    run.finish()
