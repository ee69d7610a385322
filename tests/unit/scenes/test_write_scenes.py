from itertools import cycle, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blip_core.backends.scripted import ScriptedWriter
from blip_core.errors import StageFailure
from blip_core.recipes.scenes import Category, Scenes
from blip_core.scenes import scene_prompt, write_scenes

PROMPT = "List {per_call} scenes.\nCategory: {category}\nNo two scenes are alike.\n{numbers}\n"
CATEGORIES = (Category(name="nature", hint="plants"), Category(name="food", hint="meals"))


def settings(**changes):
    return Scenes(
        **{"count": 4, "per_call": 2, "prompt": PROMPT, "categories": CATEGORIES, "batch_size": 2} | changes
    )


def lists(count):
    return [f"1. Dog number {index} runs.\n2. Cat number {index} sleeps." for index in range(count)]


def test_prompt_says_how_many_of_what_and_in_which_form():
    text = scene_prompt(CATEGORIES[0], settings())
    assert text == "List 2 scenes.\nCategory: plants\nNo two scenes are alike.\n1. ...\n2. ...\n"


def test_scenes_know_their_category_call_and_line():
    scenes, counts = write_scenes(ScriptedWriter(lists(2)), settings(), seed=0)
    assert [(scene.call, scene.line) for scene in scenes] == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert [scene.id for scene in scenes] == [
        f"{scene.category}-{index:05d}" for index, scene in enumerate(scenes)
    ]
    assert (counts.calls, counts.short_lists, counts.kept) == (2, 0, 4)


def test_the_same_seed_asks_the_same_and_another_seed_asks_otherwise():
    calls = []
    for seed in (1, 1, 2):
        writer = ScriptedWriter(lists(20))
        write_scenes(writer, settings(count=40), seed)
        calls.append(writer.calls)
    assert calls[0] == calls[1]
    assert calls[0] != calls[2]


def test_every_category_is_drawn():
    scenes, _ = write_scenes(ScriptedWriter(lists(20)), settings(count=40), seed=0)
    assert {scene.category for scene in scenes} == {"nature", "food"}


def test_short_lists_and_repeats_are_topped_up():
    texts = ["1. A dog runs.", "1. a DOG runs!\n2. A cat sleeps.", *lists(2)]
    scenes, counts = write_scenes(ScriptedWriter(texts), settings(), seed=0)
    assert len({scene.text for scene in scenes}) == 4
    assert (counts.calls, counts.short_lists, counts.duplicates) == (4, 1, 1)


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("...", "template-echo"),
        ("[...]", "template-echo"),
        ("No two scenes are alike.", "template-echo"),
        ("Dogs.", "too-short"),
        ("dog " * 121, "too-long"),
    ],
)
def test_what_is_no_scene_is_refused_with_its_reason(item, reason):
    _, counts = write_scenes(
        ScriptedWriter([f"1. {item}", *lists(2)]), settings(count=2, batch_size=1), seed=0
    )
    assert counts.refused == {reason: 1}


def test_an_item_that_breaks_off_is_refused():
    writer = ScriptedWriter(["1. A dog runs.\n2. A cat sleeps on the", "1. A bird flies.\n2. A fish swims."])
    scenes, counts = write_scenes(writer, settings(count=3), seed=0)
    assert [scene.text for scene in scenes] == ["A dog runs.", "A bird flies.", "A fish swims."]
    assert counts.refused == {"cut-off": 1}


def test_no_more_is_kept_than_was_asked_for():
    text = "1. A dog runs.\n2. A cat sleeps.\n3. A bird flies."
    scenes, counts = write_scenes(ScriptedWriter([text]), settings(count=2, batch_size=1), seed=0)
    assert len(scenes) == 2
    assert counts.refused == {"surplus": 1}


def test_a_writer_without_lists_fails_after_a_bounded_number_of_calls():
    writer = ScriptedWriter(repeat("I cannot do that."))
    with pytest.raises(StageFailure, match=r"Only 0 of 4 scenes .* in 6 calls .*I cannot do that"):
        write_scenes(writer, settings(max_calls_factor=3.0), seed=0)
    assert len(writer.calls) == 6


def test_a_writer_that_repeats_itself_fails_with_counts():
    with pytest.raises(StageFailure, match=r"Only 2 of 4 scenes .*refused: duplicate 10, such as 'Dog"):
        write_scenes(ScriptedWriter(cycle(lists(1))), settings(max_calls_factor=3.0), seed=0)


def test_progress_counts_scenes():
    seen = []
    write_scenes(
        ScriptedWriter(lists(2)), settings(batch_size=1), 0, lambda done, total: seen.append((done, total))
    )
    assert seen == [(2, 4), (4, 4)]


@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 7), st.integers(1, 4), st.integers(0, 3))
def test_a_longer_run_asks_what_a_shorter_one_asked_and_begins_with_its_scenes(
    count, more, batch_size, per_call, seed
):
    def written(wanted):
        writer = HashedWriter()
        asked = settings(count=wanted, batch_size=batch_size, per_call=per_call, max_calls_factor=100.0)
        scenes, _ = write_scenes(writer, asked, seed)
        return scenes, writer.batches

    short, asked_first = written(count)
    long, asked_then = written(count + more)
    assert long[:count] == short
    assert asked_then[: len(asked_first)] == asked_first


class HashedWriter:
    """Writes lists that hang on the seeds of the whole batch, of which one in three repeats an item."""

    def __init__(self):
        self.batches = []

    def write(self, prompts, seeds):
        self.batches.append((tuple(prompts), tuple(seeds)))
        batch = sum(seeds) % 997
        return [f"1. Dog {seed % 97} of {batch} runs.\n2. Cat {seed} of {batch} sleeps." for seed in seeds]
