"""The card of a dataset on the hub: the dataset's own, with what a stranger needs to load, judge and cite it.

The front matter declares features and splits as `datasets` writes them, and names no split without rows; it
is read back by the libraries that the hub's viewer uses before anything is sent.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from blip_core import strict_json
from blip_core.dataset.card import data_files, size_category
from blip_core.dataset.card_sections import balance_section, checkpoints_section
from blip_core.dataset.card_text import CardText, read_card
from blip_core.dataset.finding import iter_texts
from blip_core.dataset.markdown import Markup, markdown_table
from blip_core.dataset.origin import Origin
from blip_core.dataset.reading import DATA, split_files, splits_there
from blip_core.errors import EmptyDataset, UserMistake
from blip_core.images.media import suffix
from blip_core.kinds import kind_of
from blip_core.records import SPLITS, Example, Split
from blip_core.store import iter_rows

SAMPLES = "samples"
SAMPLE_ROWS = 6

_MEANINGS = {
    "id": "the row's name, made of its picture's",
    "picture_id": "the picture's name; several rows may share it",
    "group": "what splits are made by: rows of one group stand in one split",
    "category": "what the scene is about",
    "task": "`mcq`, `vqa` or `caption`",
    "image": "the picture",
    "description": "what a model said of the picture before it asked",
    "question": "what is asked",
    "a": "the options, empty where there are fewer",
    "answer": "the letter of the right option",
    "target": "what is right, in words",
    "scene": "the text that the picture was made from",
    "kind": "what kind of question it is",
    "more": "options from E on",
    "context": "a text that belongs to the question",
    "references": "all right texts, where several people were asked",
    "scores": "what models measured, by name",
    "attributes": "what models found, by name",
    "mended": "the text before it was mended",
}
_DECLARED = ("size_categories", "dataset_info", "configs")
_NO_CHECK = (
    "Questions, answers and descriptions were written by models. The gates counted above refuse what they "
    "can see; they do not prove that an answer is right."
)
_POCKET = (
    "The models are blip-foundry's bundled pocket family, which knows a small composed world: the rows "
    "exercise a pipeline and say nothing about photographs."
)


@dataclass(frozen=True, slots=True)
class HubCard:
    """A card and the pictures of its samples, by their names in the repository."""

    text: str
    pictures: Mapping[str, bytes]


def hub_card(folder: Path, origin: Origin) -> HubCard:
    """Write the card of a dataset folder for the hub.

    Raises:
        TableError: The dataset cannot be read.
        EmptyDataset: It has no rows.
        UserMistake: Its own card, which people may have changed, has a front matter that cannot be read.
    """
    sizes = {split: _rows(folder, split) for split in splits_there(folder)}
    if not any(sizes.values()):
        raise EmptyDataset(f"{folder} has no rows; nothing of it can be pushed")
    own = read_card(folder)
    sections = dict(own.sections)
    samples = list(_samples(folder, max(sizes, key=lambda split: sizes[split])))
    names = {f"{SAMPLES}/{number}{suffix(row.image)}": row.image for number, row in enumerate(samples)}
    sections |= {
        "Features": _features(folder),
        **({} if "Balance" in sections else {"Balance": balance_section(list(_texts(folder)))}),
        **({"Measured": _measured(origin)} if origin.measured and "Measured" not in sections else {}),
        **({} if "Checkpoints" in sections else {"Checkpoints": _checkpoints(origin)}),
        "Generation settings": _settings(origin),
        "Samples": markdown_table(_sample_heads(), _sample_lines(samples, list(names))),
        "Limits": _limits(origin),
    }
    matter = _front_matter(own.front, folder, sizes)
    card = HubCard(f"---\n{matter}\n---\n{CardText(own.front, sections).body}", names)
    check_card(card.text)
    return card


def check_card(text: str) -> None:
    """Read a card's front matter as the hub's libraries do.

    Raises:
        UserMistake: They cannot.
    """
    from datasets.info import DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCard

    try:
        data = DatasetCard(text).data
        configs = MetadataConfigs.from_dataset_card_data(data)
        infos = DatasetInfosDict.from_dataset_card_data(data)
        if not configs or not all(info.features for info in infos.values()):
            raise ValueError("it declares no files or no features")
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserMistake(f"the card's front matter is not what the hub reads: {error}") from error


def _rows(folder: Path, split: Split) -> int:
    return sum(int(pq.read_metadata(path).num_rows) for path in split_files(folder, split))


def _front_matter(front: Mapping[str, Any], folder: Path, sizes: Mapping[Split, int]) -> str:
    """The dataset's own, and what it has to declare of files, features and sizes."""
    from datasets import Features
    from datasets.info import DatasetInfo, DatasetInfosDict
    from datasets.utils.metadata import MetadataConfigs
    from huggingface_hub import DatasetCardData

    named = {split: count for split, count in sizes.items() if count}
    files = {split: split_files(folder, split) for split in named}
    info = DatasetInfo(
        features=Features.from_arrow_schema(pq.read_schema(next(iter(files.values()))[0])),
        splits=[
            {"name": split, "num_bytes": sum(map(_memory_bytes, files[split])), "num_examples": count}
            for split, count in named.items()
        ],
        download_size=sum(path.stat().st_size for paths in files.values() for path in paths),
    )
    info.dataset_size = sum(split.num_bytes for split in info.splits.values())
    data = DatasetCardData(**{name: value for name, value in front.items() if name not in _DECLARED})
    data["size_categories"] = [size_category(sum(named.values()))]
    DatasetInfosDict({"default": info}).to_dataset_card_data(data)
    MetadataConfigs({"default": {"data_files": data_files(named)}}).to_dataset_card_data(data)
    return str(data.to_yaml())


def _memory_bytes(path: Path) -> int:
    metadata = pq.read_metadata(path)
    return sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))


def _features(folder: Path) -> str:
    some = next(path for split in SPLITS for path in sorted((folder / DATA).glob(f"{split}-*.parquet")))
    names = [name for name in pq.read_schema(some).names if name not in ("b", "c", "d")]
    lines = [("a, b, c, d" if name == "a" else name, _MEANINGS.get(name, "")) for name in names]
    return markdown_table(("column", "what it holds"), lines)


def _texts(folder: Path) -> Iterator[Example]:
    for path in sorted((folder / DATA).glob("*.parquet")):
        yield from iter_texts(path)


def _measured(origin: Origin) -> str:
    lines = [
        (what, name, f"{value:.4g}") for what, one in origin.measured.items() for name, value in one.items()
    ]
    return markdown_table(("by", "figure", "value"), lines)


def _checkpoints(origin: Origin) -> str:
    if not origin.checkpoints:
        return "None is recorded: rows and pictures came from outside, or the store that made them is gone.\n"
    told = checkpoints_section(origin.checkpoints)
    return f"{told}\nLicences are told as blip-foundry knows them; those of the model cards bind you.\n"


def _settings(origin: Origin) -> str:
    """As JSON between tildes, since texts of prompts may hold backticks."""
    made = f"Recipe `{origin.recipe}`" if origin.recipe else "The recipe is not recorded"
    profile = f", profile `{origin.profile}`" if origin.profile else ""
    parent = f", made from the version `{origin.parent}`" if origin.parent else ""
    parts = [f"{made}{profile}; dataset digest `{origin.digest}`{parent}.\n"]
    for stage, settings in origin.settings.items():
        text = strict_json.dumps(settings, indent=2)
        parts.append(f"{stage}:\n\n~~~~~json\n{text}\n~~~~~\n")
    return "\n".join(parts)


def _samples(folder: Path, split: Split) -> Iterator[Example]:
    """A few rows, spread evenly over a split; of others not even the picture is kept."""
    rows = _rows(folder, split)
    step = max(1, rows // SAMPLE_ROWS)
    every = (row for path in split_files(folder, split) for row in iter_rows(path, Example))
    return islice(every, 0, step * SAMPLE_ROWS, step)


def _sample_heads() -> tuple[str, ...]:
    return ("picture", "description", "question", "options", "answer")


def _sample_lines(rows: Sequence[Example], names: Sequence[str]) -> Iterator[tuple[object, ...]]:
    for row, name in zip(rows, names, strict=True):
        kind = kind_of(row.task)
        yield (
            Markup(f"![{name}]({name})"),
            row.description,
            row.question,
            kind.options_shown(row),
            kind.answer(row),
        )


def _limits(origin: Origin) -> str:
    is_pocket = any(one.name.startswith("pocket/") for one in origin.checkpoints)
    parts = [*([_NO_CHECK] if origin.checkpoints else []), *([_POCKET] if is_pocket else [])]
    parts.append("Pictures and texts carry the leanings of the models and sources that made them.")
    return "\n\n".join(parts) + "\n"
