import pytest

from blip_core.reporting import stage_words


@pytest.mark.parametrize(
    ("stage", "told", "words"),
    [
        (
            "scenes",
            {"rows": 400, "asked": 400, "refused": {"duplicate": 12, "too-short": 3}},
            "400 scenes of 400 asked; refused 12 duplicate, 3 too-short",
        ),
        (
            "scenes",
            {"rows": 400, "asked": 400, "refused": {"surplus": 60, "duplicate": 1}},
            "400 scenes of 400 asked; refused 1 duplicate",
        ),
        ("scenes", {"rows": 400, "asked": 400, "refused": {"surplus": 60}}, "400 scenes of 400 asked"),
        ("pictures", {"rows": 398, "asked": 400, "refused": 2}, "398 pictures of 400 asked; 2 refused"),
        (
            "pictures",
            {
                "rows": 8,
                "asked": 9,
                "refused": {"git-lfs-pointer": 1},
                "flagged": {"first-of-several": 2},
                "left_out": {"mac-fork": 4, "hidden": 5},
            },
            "8 pictures of 9 asked; refused 1 git-lfs-pointer; 2 first-of-several; "
            "left out 5 hidden, 4 mac-fork",
        ),
        ("pictures", {"rows": 8, "flagged": {}, "left_out": {}}, "8 pictures of 8 asked"),
        ("labels", {"rows": 5, "asked": 5, "refused": 0}, "5 labels of 5 asked"),
        (
            "labels",
            {
                "rows": 5,
                "costs": {
                    "requests": 1_207,
                    "repeated": 2,
                    "prompt_tokens": 9_000,
                    "written_tokens": 410,
                    "cut": 3,
                    "seconds": 1.5,
                },
            },
            "5 labels of 5 asked; 1,207 requests (2 repeated), 9,000 + 410 tokens, 3 answers cut",
        ),
        (
            "dataset",
            {"rows": 360, "splits": {"train": 300, "test": 60}, "rejected": {"a": 1, "b": 2, "c": 3, "d": 4}},
            "train 300, test 60; refused 4 d, 3 c, 2 b, 1 other",
        ),
        (
            "finetune",
            {"rows": 300, "first_loss": 2.0, "last_loss": 0.5, "steps": 120},
            "loss 2.00 to 0.50 in 120 steps",
        ),
        (
            "finetune",
            {
                "rows": 300,
                "first_loss": 2.0,
                "last_loss": 0.5,
                "steps": 120,
                "trainable": 1234,
                "counts": {"padded_share": 0.031, "cut_texts": 2, "quarantined": 0, "resumed_at": 50},
            },
            "loss 2.00 to 0.50 in 120 steps; 1,234 weights; 3.1 % padding; cut texts 2; resumed at step 50",
        ),
        (
            "predict finetuned",
            {"rows": 20, "flagged": {"first-of-several": 2}},
            "20 questions answered; 2 first-of-several",
        ),
        (
            "dataset",
            {"rows": 6, "splits": {"train": 6}, "rejected": {}, "flagged": {"first-of-several": 2}},
            "train 6; 2 first-of-several",
        ),
        ("predict finetuned", {"rows": 2000, "seconds": 10.0}, "2,000 questions answered, 200 a second"),
        ("predict finetuned", {"rows": 2000, "seconds": 0.1, "cached": True}, "2,000 questions answered"),
        ("predict finetuned", {"rows": 20, "task": "vqa"}, "20 questions answered"),
        ("predict finetuned", {"rows": 20, "task": "caption"}, "20 captions written"),
        (
            "predict far",
            {"rows": 90, "oddities": {"no-probabilities": 80, "refused": 2}},
            "90 questions answered; 80 no-probabilities, 2 refused",
        ),
        ("something new", {"rows": 7}, "7 rows"),
    ],
)
def test_a_stage_says_what_came_of_it(stage, told, words):
    assert stage_words(stage, told) == words
