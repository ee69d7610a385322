"""Grids of which `make test` and `make test-runs` work a case of each kind, and `make campaign-grids` all.

Every case of these costs a tuning, a model or a process. A case that is asked for by its name is worked.
"""

from collections.abc import Sequence

import pytest

from blip_core.store.faults import POINTS

# Every point of publishing in one sharded stage, and in each other what is told apart by its own work.
STAGE_KILLS = (
    *(f"scenes-scenes-shard {point} 2" for point in POINTS),
    *(
        f"{kind}-{kind}-shard publish.{point} 2"
        for kind in ("pictures", "labels")
        for point in ("built", "moved")
    ),
    *(f"{kind}-{kind} publish.moved 1" for kind in ("scenes", "pictures", "labels", "dataset")),
    *(f"{stage}-{stage} progress 1" for stage in ("scenes", "pictures", "labels", "dataset", "finetune")),
    "dataset-dataset publish.manifest 1",
    "finetune-adapter publish.moved 1",
    "predict finetuned-predictions-shard publish.moved 2",
    "predict finetuned-predictions publish.moved 1",
    "predict finetuned-predict finetuned progress 1",
    "compare-scores publish.moved 1",
    "compare-compare progress 1",
)
# Of each test, below `tests`: the ids that stay.
KEPT = {
    "benchmarks/test_random_blip2.py::test_made_in_memory_it_is_what_the_saved_one_is_when_it_was_loaded": (
        "t5-nf4",
        "opt-none",
    ),
    "campaigns/training/test_kills.py::test_a_killed_tuning_ends_with_the_bits_of_an_undisturbed_one": (
        "20-18",
    ),
    "faults/test_damage.py::test_a_store_that_is_damaged_everywhere_is_made_again": ("flip_a_bit",),
    "faults/test_stage_kills.py::test_after_a_kill_the_next_run_ends_as_if_nothing_had_been": STAGE_KILLS,
    "golden/test_losses.py::test_a_fixed_tiny_tuning_gives_the_losses_on_file": ("t5-nf4", "opt-none"),
    "gpu/test_running.py::test_killed_at_any_instant_it_leaves_a_whole_file": ("1", "4"),
    "gpu/test_running.py::test_killed_in_the_middle_of_a_part_all_before_it_are_whole": ("1",),
    "hostile/test_picture_files.py::test_a_file_cut_at_any_length_is_refused_or_whole": (
        "png",
        "jpeg-progressive",
        "webp-animated",
        "mpo",
    ),
    "unit/inference/test_predicting.py::test_every_mode_and_rotation_says_what_the_oracle_says": (
        "t5-changed1",
        "opt-changed0",
        "opt-changed2",
    ),
    "unit/inference/test_predicting.py::test_quantised_batches_say_what_the_quantised_oracle_says": (
        "nf4-float32-t5",
        "int8-float32-opt",
        "nf4-bfloat16-opt",
    ),
    "unit/inference/test_predicting.py::test_rows_of_two_to_ten_options_stand_in_one_batch": (
        "t5-letters",
        "opt-texts",
    ),
    "unit/inference/test_predicting.py::test_rows_without_options_are_answered_by_text_as_the_oracle_answers"
    "_them": ("t5-changed0", "t5-changed1", "opt-changed2", "opt-changed3"),
    "unit/modeling/test_merging.py::test_a_merged_checkpoint_answers_like_base_and_adapter_in_transformers"
    "_alone": ("lora-t5", "mixed-opt"),
    "unit/planning/test_live_bytes.py::test_a_training_step_is_foreseen_within_a_tenth": (
        "False-tiny-t5",
        "True-tiny-opt",
        "True-tiny-llama",
        "False-tiny-instructed-t5",
    ),
    "unit/planning/test_live_bytes.py::test_reading_a_prompt_is_foreseen_within_a_tenth": (
        "tiny-t5",
        "tiny-opt",
        "tiny-instructed-llama",
    ),
    "unit/tracking/test_clock.py::test_every_step_arrives_once_and_in_order": ("back and forth", "still"),
    "unit/training/test_every_kind.py::test_it_is_tuned_goes_on_to_the_bit_and_is_loaded_again": (
        "instructblip_t5",
        "blip2_llama",
    ),
    "unit/training/test_every_way.py::test_it_is_tuned_goes_on_to_the_bit_and_is_merged": (
        "q-k-int8",
        "projection",
        "t5-whole",
        "llama-whole-and-more",
    ),
    "unit/training/test_finetuning.py::test_only_the_adapter_moves": ("none-opt", "nf4-t5"),
    "unit/training/test_launching.py::test_two_processes_take_the_steps_of_one": ("a seq2seq",),
    "unit/training/test_resuming.py::test_what_goes_on_ends_with_the_bits_of_what_was_never_ended": (
        "opt in passes",
        "nf4, computed twice",
        "augmented",
    ),
    "unit/training/test_stepping.py::test_a_base_in_bfloat16_is_tuned_with_a_float32_q_former": (
        "t5-nf4",
        "opt-int8",
    ),
    "unit/training/test_stepping.py::test_activations_computed_twice_give_the_same_losses": ("t5-nf4",),
    "unit/training/test_stepping.py::test_a_loss_that_is_none_ends_a_tuning_that_allows_none_and_what_was"
    "_saved_goes_on": ("nan",),
}


def left_out(items: Sequence[pytest.Item]) -> set[pytest.Item]:
    """Cases of the grids that are not kept; of a grid whose kept cases were not all asked for, none."""
    grids: dict[str, dict[str, pytest.Item]] = {}
    for item in items:
        name, _, case = item.nodeid.removeprefix("tests/").partition("[")
        if name in KEPT:
            grids.setdefault(name, {})[case.removesuffix("]")] = item
    return {
        item
        for name, cases in grids.items()
        if cases.keys() >= set(KEPT[name])
        for case, item in cases.items()
        if case not in KEPT[name]
    }
