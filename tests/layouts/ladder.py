"""What is owed to a person who goes from `foundry doctor` to a ladder with checkpoints of some layout."""

import pytest

from tests.layouts.walking import SOURCES, STAGES


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Prefect's and MLflow's own servers warn
class FromDoctorToLadder:
    def test_a_first_look_names_all_that_is_missing_with_one_remedy(self, walk):
        before = walk.done["doctor before"]
        findings = [one for one in before.told["findings"] if one["check"] == "checkpoints"]
        assert before.code == 1
        (absent,) = findings
        assert all(name in absent["said"] for name in walk.ids)
        assert absent["remedy"].startswith("foundry prefetch gallery-vqa --profile workstation")

    def test_a_plan_for_what_nobody_has_published_names_the_fetch(self, walk):
        if walk.chosen == SOURCES:
            pytest.skip("the configs of the sources are published")
        before = walk.done["plan before"]
        assert (before.code, before.out) == (2, "")
        assert "foundry prefetch" in before.err
        assert len(before.err.strip().splitlines()) == 1

    def test_an_interrupted_fetch_goes_on_where_it_stopped(self, walk):
        first, second = walk.done["interrupted"], walk.done["prefetch"]
        assert (first.code, "run it again to continue" in first.out) == (130, True)
        assert {one["id"] for one in second.told["checkpoints"] if one["locked"]} == walk.ids
        fetched = walk.fetched["interrupted"][:-1]
        whole = {path for path in fetched if not path.endswith("model_index.json")}
        assert whole
        assert whole.isdisjoint(walk.fetched["prefetch"])

    def test_what_is_here_is_asked_of_nobody(self, walk):
        again = walk.done["again"]
        assert {one["was"] for one in again.told["checkpoints"]} == {"here"}
        assert walk.fetched["again"] == []

    def test_carried_folders_are_locked_offline(self, walk):
        offline = walk.done["offline"]
        assert {one["id"] for one in offline.told["checkpoints"] if one["locked"]} == walk.ids
        assert {one["commit"] for one in offline.told["checkpoints"]} == {""}
        assert walk.fetched["offline"] == []

    def test_all_is_well_after_the_fetch(self, walk):
        findings = [one for one in walk.done["doctor"].told["findings"] if one["check"] == "checkpoints"]
        assert {one["state"] for one in findings} == {"ok"}
        assert len(findings) == len(walk.ids)

    def test_the_plan_knows_every_checkpoint_by_its_own_config(self, walk):
        told = walk.done["plan"].told
        assert {one["known_from"] for one in told["checkpoints"].values()} == {"its own config"}
        assert {one["is_here"] for one in told["checkpoints"].values()} == {True}
        assert all(peak > 0 for peak in told["peak_host_bytes"].values())

    def test_the_run_ends_in_a_ladder_of_all_variants(self, walk):
        run = walk.done["run"]
        assert run.code == 0, run.err
        assert list(run.told["variants"]) == ["baseline", "flan-t5", "finetuned"]
        assert sum(run.told["dataset"]["rows"].values()) > 0
        assert "Traceback" not in run.err
        if walk.chosen == SOURCES:
            stages = [walk.done[stage] for stage in STAGES]
            assert [stage.code for stage in stages] == [0] * len(STAGES), stages[-1].err
            assert all(stage["cached"] for stage in run.told["stages"].values())
