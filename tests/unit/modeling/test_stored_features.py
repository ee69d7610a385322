import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch import Tensor

from blip_core.errors import NotANumber, RecipeError, StoreError
from blip_core.modeling import attach_adapter, load_blip2
from blip_core.modeling.features import UNREADABLE, VisionCache, picture_key
from blip_core.modeling.fresh_features import FreshVisionStates
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.stored_features import KIND, TOWER_BATCH, StoredVisionStates
from blip_core.modeling.vision_tower import release_vision_tower
from blip_core.recipes.finetune import Adapter
from blip_core.records import Example
from blip_core.store import Store
from tests.tiny_blip2 import FolderOf, MakeExamples

pytestmark = pytest.mark.usefixtures("one_thread")

BLOCK = 2


@pytest.fixture(scope="module")
def bundle(tiny_blip2: FolderOf) -> Blip2Bundle:
    return load_blip2(tiny_blip2("t5"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def run(bundle: Blip2Bundle, store: Store, identity: str = "tiny") -> StoredVisionStates:
    """The states as a new run sees them."""
    return StoredVisionStates(bundle, store, identity, BLOCK)


def keys(examples: list[Example]) -> list[str]:
    return [picture_key(example.image) for example in examples]


def in_memory(bundle: Blip2Bundle, examples: list[Example]) -> Tensor:
    cache = VisionCache(bundle, batch_size=3)
    cache.add(examples)
    return cache.stack(keys(examples))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_kept_states_are_those_of_the_tower_in_its_own_type(
    dtype: str, tiny_blip2: FolderOf, make_examples: MakeExamples, store: Store
) -> None:
    bundle = load_blip2(tiny_blip2("t5"), dtype=dtype)
    examples = make_examples(10)
    run(bundle, store).add(examples)

    second = run(bundle, store)
    second.add(examples)
    kept = second.stack(keys(examples))

    assert kept.dtype == getattr(torch, dtype)
    assert torch.equal(kept, in_memory(bundle, examples))


def test_the_second_run_encodes_nothing(
    bundle: Blip2Bundle, make_examples: MakeExamples, store: Store
) -> None:
    examples = make_examples(10)
    first, second = run(bundle, store), run(bundle, store)
    first.add(examples)
    second.add(examples)

    assert (first.forwards, second.forwards) == (5, 0)
    assert [block.rows for block in store.artifacts(KIND)].count(BLOCK) == 2
    assert sum(block.rows for block in store.artifacts(KIND)) == 5


def test_a_grown_dataset_pays_for_its_new_pictures_alone(
    bundle: Blip2Bundle, make_examples: MakeExamples, store: Store
) -> None:
    examples = make_examples(8)
    run(bundle, store).add(examples[:4])
    before = set(store.keys(KIND))

    grown = run(bundle, store)
    grown.add(examples)

    assert grown.forwards == 2
    assert before < set(store.keys(KIND))
    assert torch.equal(grown.stack(keys(examples)), in_memory(bundle, examples))


def test_a_tower_takes_no_states_of_another(
    bundle: Blip2Bundle, tiny_blip2: FolderOf, make_examples: MakeExamples, store: Store
) -> None:
    examples = make_examples(2)
    run(bundle, store).add(examples)
    processor = load_blip2(tiny_blip2("t5")).processor
    processor.image_processor.do_normalize = False
    others = [
        run(bundle, store, "another checkpoint"),
        run(load_blip2(tiny_blip2("t5"), dtype="bfloat16"), store),
        run(replace(bundle, processor=processor), store),
    ]

    for other in others:
        other.add(examples)

    assert [other.forwards for other in others] == [1, 1, 1]


def test_the_tower_always_sees_full_batches(
    bundle: Blip2Bundle, make_examples: MakeExamples, store: Store
) -> None:
    seen: list[int] = []
    tower = bundle.blip2.vision_model
    hook = tower.register_forward_hook(lambda module, args, output: seen.append(len(output[0])))
    states = run(bundle, store)
    states.add(make_examples(6))
    hook.remove()

    assert set(seen) == {TOWER_BATCH}
    assert states.forwards == 3


def test_an_interrupted_encoding_redoes_one_block(
    bundle: Blip2Bundle, make_examples: MakeExamples, tmp_path: Path
) -> None:
    class Killed(BaseException):
        pass

    reached: list[str] = []

    def die_in_second_block(point: str) -> None:
        reached.append(point)
        if reached.count("publish.moved") == 2:
            raise Killed

    examples = make_examples(10)
    with pytest.raises(Killed):
        run(bundle, Store(tmp_path, reach=die_in_second_block)).add(examples)
    again = run(bundle, Store(tmp_path))
    again.add(examples)

    assert again.forwards == 5 - BLOCK
    assert torch.equal(again.stack(keys(examples)), in_memory(bundle, examples))


@pytest.mark.parametrize("damage", ["changed", "cut short", "manifest"])
def test_a_damaged_block_is_made_anew(
    damage: str, bundle: Blip2Bundle, make_examples: MakeExamples, store: Store
) -> None:
    examples = make_examples(8)
    run(bundle, store).add(examples)
    block = next(block for block in store.artifacts(KIND) if keys(examples)[0] in block.metadata["pictures"])
    (file,) = block.path.glob("*.safetensors")
    content = file.read_bytes()
    if damage == "changed":
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    if damage == "cut short":
        file.write_bytes(content[:-8])
    if damage == "manifest":
        (block.path / "manifest.json").write_text("{")

    mended = run(bundle, store)
    mended.add(examples)

    assert mended.forwards == block.rows
    assert torch.equal(mended.stack(keys(examples)), in_memory(bundle, examples))
    assert [aside.name for aside in (store.root / "quarantine").iterdir()] == [f"{block.key}.0"]


def test_pictures_that_another_run_encodes_meanwhile_are_not_encoded_again(
    bundle: Blip2Bundle, make_examples: MakeExamples, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = make_examples(8)
    other = run(bundle, store)
    overtaken = Store(store.root)

    @contextmanager
    def alone_after_the_other(name: str) -> Iterator[None]:
        other.add(examples)
        with store.alone(name):
            yield

    monkeypatch.setattr(overtaken, "alone", alone_after_the_other)
    late = run(bundle, overtaken)
    late.add(examples)

    assert (other.forwards, late.forwards) == (4, 0)
    assert torch.equal(late.stack(keys(examples)), other.stack(keys(examples)))


def test_unreadable_pictures_are_rejected_and_not_kept(
    bundle: Blip2Bundle, make_examples: MakeExamples, store: Store
) -> None:
    examples = make_examples(6)
    examples[0:2] = [replace(one, image=b"no picture") for one in examples[0:2]]
    states = run(bundle, store)

    first, second = states.add(examples), states.add(examples)

    assert [(one.id, one.reason) for one in first] == [(examples[0].id, UNREADABLE)]
    assert second == first
    assert states.forwards == 2
    with pytest.raises(KeyError):
        states.stack(keys(examples[:1]))


def test_nothing_readable_makes_no_block(
    bundle: Blip2Bundle, make_examples: MakeExamples, store: Store
) -> None:
    states = run(bundle, store)

    assert len(states.add([replace(make_examples(1)[0], image=b"")])) == 1
    assert store.keys(KIND) == []


def test_rows_are_read_without_the_block(
    bundle: Blip2Bundle, make_examples: MakeExamples, store: Store
) -> None:
    examples = make_examples(4)
    block = torch.rand(64, 1024, 256)  # 64 MiB: more than an allocator's whims
    fillers = [f"{number:064x}" for number in range(62)]
    run(bundle, store)._publish([*keys(examples)[::2], *fillers], block)
    states = run(bundle, store)
    states.add(examples)
    process = psutil.Process()

    before = process.memory_info().rss
    rows = states.stack(keys(examples)[::2])
    after_rows = process.memory_info().rss
    whole = states.stack([*keys(examples)[::2], *fillers])
    after_whole = process.memory_info().rss

    assert torch.equal(rows, block[:2])
    assert torch.equal(whole, block)
    assert states.forwards == 0
    assert after_rows - before < block.nbytes / 8
    assert after_whole - after_rows > block.nbytes / 2


def test_a_full_disk_is_said_and_finished_blocks_stay(
    bundle: Blip2Bundle, make_examples: MakeExamples, store: Store
) -> None:
    examples = make_examples(6)
    run(bundle, store).add(examples[:4])
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
    try:
        with pytest.raises(StoreError, match="full"):
            run(bundle, store).add(examples)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    again = run(bundle, store)
    again.add(examples)

    assert again.forwards == 1


def test_what_was_encoded_is_there_when_the_tower_has_left(
    tiny_blip2: FolderOf, make_examples: MakeExamples, store: Store
) -> None:
    bundle = load_blip2(tiny_blip2("t5"))
    examples = make_examples(4)
    states = run(bundle, store)
    states.add(examples)
    kept = states.stack(keys(examples))
    release_vision_tower(bundle)

    assert states.add(examples) == []
    assert torch.equal(states.stack(keys(examples)), kept)


def test_states_of_a_tuned_tower_are_not_kept(
    tiny_blip2: FolderOf, make_examples: MakeExamples, store: Store
) -> None:
    on_tower = Adapter(pattern=r"vision_model\..*\.qkv", r=4)
    tuned = attach_adapter(load_blip2(tiny_blip2("t5")), on_tower, seed=0)

    with pytest.raises(RecipeError, match="kept features are those of the untuned tower"):
        run(tuned, store).add(make_examples(1))
    with pytest.raises(RecipeError, match="kept features are those of the untuned tower"):
        VisionCache(tuned, 2).add(make_examples(1))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_kept_block_with_a_value_that_is_none_is_refused_for_the_row_that_wants_it(
    value: float, bundle: Blip2Bundle, make_examples: MakeExamples, store: Store
) -> None:
    examples = make_examples(8)
    states = in_memory(bundle, examples[::2])
    states[1, 2, 3] = value
    run(bundle, store)._publish(keys(examples[::2]), states)

    sound = examples[:2] + examples[4:]
    run(bundle, store).add(sound)
    with pytest.raises(
        NotANumber, match=f"picture of row {examples[2].id} are NaN or infinite.*clean-features"
    ):
        run(bundle, store).add(examples)


def test_states_that_the_tower_gives_as_no_numbers_are_not_kept(
    tiny_blip2: FolderOf, make_examples: MakeExamples, store: Store
) -> None:
    examples = make_examples(8)
    broken = load_blip2(tiny_blip2("t5"))

    def change(_: torch.nn.Module, inputs: object, output: Any) -> None:
        output.last_hidden_state[1, 0, 0] = float("inf")

    broken.blip2.vision_model.register_forward_hook(change)
    named = f"the vision tower gave NaN or infinity for row {examples[2].id}:"
    for states in (run(broken, store), VisionCache(broken, batch_size=4)):
        with pytest.raises(NotANumber, match=named):
            states.add(examples)
    fresh = FreshVisionStates(broken)
    fresh.add(examples)
    with pytest.raises(NotANumber, match=named):
        fresh.stack(keys(examples[::2]))
    assert store.keys(KIND) == []
