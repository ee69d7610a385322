"""Stage 6: a variant answers the evaluation rows."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blip_core.dataset import read_split
from blip_core.errors import EmptyDataset, TableError
from blip_core.ports import Progress
from blip_core.recipes import AnsweringVariant, Inference, Recipe, ServerVariant, Variant
from blip_core.records import EXAMPLE_SCHEMA, Example, Prediction, found_of, prediction_schema
from blip_core.store import Artifact, ArtifactRef, read_rows, write_rows
from blip_core.wiring import (
    adapter_folder,
    adapter_identity,
    asking,
    checkpoint_identity,
    connect_served,
    evaluation_examples,
    evaluation_identity,
    judging_identity,
    judging_models,
    load_reader,
    load_variant,
    variant_identity,
    variant_states,
    workplace,
)
from tasks.crews import Crew, crew_for
from tasks.rows import gather
from tasks.shards import ROWS_PER_SHARD as SERVED_ROWS_PER_SHARD
from tasks.shards import ShardWork, by_place, in_runs, publish_shards, whole_batches
from tasks.stage import metadata_of, path_of, stage
from tasks.tune_adapter import ADAPTER

if TYPE_CHECKING:
    from blip_core.inference.loaded import Answerer

VERSION = 5
FILE = "predictions.parquet"
ABLATIONS = "ablations.parquet"  # the same rows in the other modes that the recipe asks for
ROWS_PER_SHARD = 512  # rows of like length share a batch: the more rows to choose from, the fewer pads


def key(
    recipe: Recipe,
    variant: AnsweringVariant,
    dataset: ArtifactRef | None,
    adapter: ArtifactRef | None,
    server_facts: str = "",
) -> str:
    inputs = _answered(recipe, variant, adapter, server_facts, _judged_on(recipe, dataset))
    return workplace().store.key("predictions", inputs | judging_identity(recipe))


def _answered(
    recipe: Recipe,
    variant: AnsweringVariant,
    adapter: ArtifactRef | None,
    server_facts: str,
    judged_on: str,
) -> dict[str, Any]:
    """What decides the answers, whatever models find of them afterwards."""
    return who_answers(recipe, variant, adapter, server_facts) | {
        "version": VERSION,
        "evaluation": judged_on,
    }


def _whole(
    recipe: Recipe,
    variant: AnsweringVariant,
    adapter: ArtifactRef | None,
    server_facts: str,
    judged_on: str,
) -> str:
    """Key that the shards of all answers together are keyed by."""
    return workplace().store.key("predictions", _answered(recipe, variant, adapter, server_facts, judged_on))


def _judged_on(recipe: Recipe, dataset: ArtifactRef | None) -> str:
    return evaluation_identity(recipe, dataset.digest if dataset else "")


def who_answers(
    recipe: Recipe, variant: AnsweringVariant, adapter: ArtifactRef | None, server_facts: str = ""
) -> dict[str, Any]:
    """What decides a variant's answers, whatever the questions: part of a key.

    Args:
        recipe: how it answers.
        variant: who answers.
        adapter: the adapter that it carries, where that is kept by the store.
        server_facts: what the server of a variant tells of its model.
    """
    return {
        "recipe": recipe.digest("inference", "task", "stages"),
        **_own_prompt(variant),
        "variant": variant.name,
        "model": variant_identity(variant, server_facts),
        "dtype": "" if isinstance(variant, ServerVariant) else variant.model.dtype,
        "adapter": adapter_identity(variant, adapter.digest if adapter else ""),
        **_own_way(recipe, variant),
        **({} if isinstance(variant, ServerVariant) else recipe.device.arithmetic()),
    }


def _own_prompt(variant: AnsweringVariant) -> dict[str, str]:
    """The prompt that a variant is asked with in place of the others', for a key; else nothing."""
    prompt = variant.answer_prompt if isinstance(variant, Variant) else ""
    return {"prompt": prompt} if prompt else {}


def _own_way(recipe: Recipe, variant: AnsweringVariant) -> dict[str, Any]:
    """How a variant comes to free answers, where it does not write them, for a key; else nothing."""
    if isinstance(variant, ServerVariant) or variant.answers == "written":
        return {}
    read = {"reader": checkpoint_identity(recipe.inference.reader)} if variant.answers == "read" else {}
    return {"answers": variant.answers, **read}


def load_answering(recipe: Recipe, variant: AnsweringVariant, adapter: ArtifactRef | None) -> "Answerer":
    """Load a variant, unpacked where the recipe allows it and memory suffices; or find its server."""
    if isinstance(variant, ServerVariant):
        return connect_served(recipe, variant)
    from blip_core.inference.loaded import LoadedModel
    from blip_core.inference.unpacking import unpack_if_roomy

    tuned = path_of(adapter) / ADAPTER if adapter else None
    loaded = load_variant(recipe, variant, adapter_folder(variant, tuned))
    bundle, unpacking = unpack_if_roomy(loaded, recipe.inference)
    model = LoadedModel(bundle, variant_states(recipe, variant, bundle), unpacking.reason)
    if variant.answers != "read":
        return model
    from blip_core.inference.reading_out import ReadingOut

    return ReadingOut(model, load_reader(recipe, recipe.inference.reader))


@contextmanager
def answering_shards(
    recipe: Recipe,
    variant: AnsweringVariant,
    adapter: ArtifactRef | None,
    settings: Inference,
    server_facts: str,
    judged_on: str,
) -> Iterator[ShardWork[Example]]:
    """What answers shards of evaluation rows, with one model for all of them.

    Args:
        recipe: see `predict_variant`.
        variant: the same.
        adapter: the same.
        settings: how rows are asked.
        server_facts: see `predict_variant`.
        judged_on: identity of the rows.
    """
    whole = _whole(recipe, variant, adapter, server_facts, judged_on)
    yield answer_work(whole, variant.name, settings, partial(load_answering, recipe, variant, adapter))


@stage("predict {variant.name}", key)
def predict_variant(
    recipe: Recipe,
    variant: AnsweringVariant,
    dataset: ArtifactRef | None,
    adapter: ArtifactRef | None,
    server_facts: str = "",
) -> ArtifactRef:
    """Let a variant answer every evaluation row.

    Args:
        recipe: how it answers.
        variant: who answers.
        dataset: where its rows come from, if the recipe judges by its test split.
        adapter: the adapter that the variant carries, if it is one of the store.
        server_facts: what the server of the variant tells of its model.
    """
    own_key = key(recipe, variant, dataset, adapter, server_facts)
    judged_on = _judged_on(recipe, dataset)

    def build(folder: Path) -> dict[str, Any]:
        examples = evaluation_examples(recipe, path_of(dataset) if dataset else None)
        if not examples:
            raise EmptyDataset("there are no rows to judge on; raise dataset.test_share or scenes.count")
        load = partial(load_answering, recipe, variant, adapter)
        settings = asking(recipe, variant, answers_learnt(recipe, variant, adapter))
        step = rows_a_shard(variant, settings)
        whole = _whole(recipe, variant, adapter, server_facts, judged_on)
        told = {"variant": variant, "adapter": adapter, "settings": settings, "server_facts": server_facts}
        loads = not isinstance(variant, ServerVariant)
        with crew_for(recipe, answering_shards, loads, **told, judged_on=judged_on) as crew:
            shards = answer_in_shards(
                whole, variant.name, examples, settings, load, rows_per_shard=step, crew=crew
            )
        schema = prediction_schema(
            [recipe.task] if recipe.evaluation.kind == "native" else (row.task for row in examples),
            {name for shard in shards for name in shard.metadata.get("found", ())},
        )
        answered = gather(shards, FILE, folder, Prediction, schema)
        _judge(recipe, examples, folder / FILE)
        gather(shards, ABLATIONS, folder, Prediction, schema)
        if recipe.evaluation.kind == "native" and _judged_on(recipe, dataset) != judged_on:
            raise TableError(f"{recipe.evaluation.path} changed while its rows were answered; run again")
        parents = {"dataset": dataset.key} if dataset and recipe.evaluation.kind == "split" else {}
        return {
            "rows": answered,
            "variant": variant.name,
            "task": recipe.task,
            "evaluation": recipe.evaluation.kind,
            "evaluation_identity": judged_on,
            "model": variant_identity(variant, server_facts),
            "adapter": adapter_identity(variant, adapter.digest if adapter else ""),
            **what_it_took(shards),
            "made_from": parents | ({"adapter": adapter.key} if adapter else {}),
        }

    return workplace().store.publish(own_key, "predictions", build).ref()


def _judge(recipe: Recipe, examples: Iterable[Example], path: Path) -> None:
    """Let models look at written texts, where the recipe names any."""
    if not judging_identity(recipe):
        return
    from blip_core.annotating.judging import judged_texts

    with judging_models(recipe) as models:
        judged = list(judged_texts(examples, read_rows(path, Prediction), recipe.judging, *models))
    write_rows(path, judged, prediction_schema((row.task for row in judged), found_of(judged)))


def answers_learnt(recipe: Recipe, variant: AnsweringVariant, adapter: ArtifactRef | None) -> list[str]:
    """Free answers that the adapter of a variant learnt, where it chooses among them; else nothing."""
    ranks = isinstance(variant, Variant) and variant.answers == "ranked"
    if not ranks or recipe.inference.closed_answers or adapter is None:
        return []
    dataset = workplace().store.find(metadata_of(adapter).get("made_from", {}).get("dataset", ""))
    rows = read_split(dataset.path, "train") if dataset else []
    return [text for row in rows if row.task == recipe.task for text in (row.target, *row.references)]


def answer_in_shards(
    whole: str,
    variant: str,
    examples: Iterable[Example],
    settings: Inference,
    load: Callable[[], "Answerer"],
    total: int | None = None,
    rows_per_shard: int | None = None,
    crew: Crew | None = None,
) -> list[Artifact]:
    """Answer rows shard by shard with a model that is loaded once, and only if a shard is missing.

    Args:
        whole: key of all answers together.
        variant: name that the predictions carry.
        examples: the rows, in the order in which they are answered; one shard of them is in memory at a time.
        settings: prompts, batch size, lengths.
        load: gives the model.
        total: how many rows there are, where `examples` cannot say.
        rows_per_shard: see `rows_a_shard`; absent, that of a model which is loaded here.
        crew: others who can do the same; nobody, this process does.
    """
    work = answer_work(whole, variant, settings, load)
    step = rows_per_shard or whole_batches(settings.batch_size, ROWS_PER_SHARD)
    rows = len(examples) if isinstance(examples, Sized) else total or 0
    return publish_shards(work, in_runs(examples, step), rows, crew)


def answer_work(
    whole: str, variant: str, settings: Inference, load: Callable[[], "Answerer"]
) -> ShardWork[Example]:
    """What answers a shard of rows; see `answer_in_shards`."""
    answering = cache(load)

    def build(folder: Path, shard: Sequence[Example], report: Progress) -> Mapping[str, Any]:
        def on_pass(done: int, passes: int) -> None:
            report(done * len(shard) // passes, len(shard))

        model = answering()
        answers = model.answer(shard, settings, variant, on_pass)
        found = found_of([*answers.predictions, *answers.ablations])
        schema = prediction_schema((example.task for example in shard), found)
        write_rows(folder / ABLATIONS, answers.ablations, schema)
        return {
            "rows": write_rows(folder / FILE, answers.predictions, schema),
            **({"found": sorted(found)} if found else {}),
            "counts": answers.counts.to_row(),
            "language_model": model.unpacking,
            "oddities": count_oddities(answers.predictions),
            "remarks": list(model.remarks),
        }

    return ShardWork("predictions", Example, by_place(whole), build, schema=EXAMPLE_SCHEMA)


def rows_a_shard(variant: AnsweringVariant, settings: Inference) -> int:
    """Rows that a killed run may have to ask again: fewer of a server, which gains nothing from many."""
    most = SERVED_ROWS_PER_SHARD if isinstance(variant, ServerVariant) else ROWS_PER_SHARD
    return whole_batches(settings.batch_size, most)


def what_it_took(shards: Sequence[Artifact]) -> dict[str, Any]:
    """Counts of all shards together, how the language model was held, and what was odd."""
    from blip_core.inference import InferenceCounts

    counts = InferenceCounts()
    for shard in shards:
        counts.include(InferenceCounts.from_row(shard.metadata["counts"]))
    held = sorted({str(shard.metadata["language_model"]) for shard in shards})
    oddities = sum((Counter(shard.metadata["oddities"]) for shard in shards), Counter())
    remarks = dict.fromkeys(remark for shard in shards for remark in shard.metadata.get("remarks", ()))
    return {
        "counts": counts.to_row(),
        "language_model": "; ".join(held),
        "oddities": dict(oddities),
        "remarks": list(remarks),
    }


def count_oddities(predictions: Iterable[Prediction]) -> dict[str, int]:
    """How many rows carry each flag of a server's or a reader's answers, see `inference.flagging`."""
    from blip_core.inference.flagging import COUNTED

    flags = Counter(flag for row in predictions for flag in row.flags.split())
    return {flag: flags[flag] for flag in COUNTED if flags[flag]}


def read_predictions(ref: ArtifactRef) -> list[Prediction]:
    return read_rows(path_of(ref) / FILE, Prediction)


def read_ablations(ref: ArtifactRef) -> list[Prediction]:
    """Answers in other modes than that of the main rows; empty where none were asked for."""
    path = path_of(ref) / ABLATIONS
    return read_rows(path, Prediction) if path.exists() else []
