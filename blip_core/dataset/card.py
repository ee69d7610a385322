"""The card of a dataset: what it holds, how it was made, what was refused and why."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from blip_core import strict_json
from blip_core.curation import GateCount
from blip_core.dataset.card_sections import balance_section, checkpoints_section, gates_section
from blip_core.dataset.markdown import markdown_table
from blip_core.dataset.origin import UsedCheckpoint
from blip_core.dataset.reading import DATA
from blip_core.kinds import kind_of
from blip_core.recipes import Recipe
from blip_core.records import Example, Rejection, Split

CARD = "README.md"
SAMPLE_ROWS = 5

_SIZE_CATEGORIES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
_LARGEST = "n>1M"
_NO_LICENCE = (
    "None is stated. The rows were made by models; the licences of the checkpoints named under Checkpoints "
    "say what may be done with their output."
)
_NO_LICENCE_OF_OTHERS = "None is stated. The pictures came from outside; ask whoever made them."


def write_card(
    folder: Path,
    recipe: Recipe,
    rows: Mapping[Split, Sequence[Example]],
    rejections: Iterable[Rejection],
    provenance: Mapping[str, Any],
    gates: Sequence[GateCount] = (),
    checkpoints: Sequence[UsedCheckpoint] = (),
    measured: Sequence[tuple[str, str]] = (),
) -> None:
    """Write `README.md` with the front matter that makes Hugging Face find every split."""
    every = [row for found in rows.values() for row in found]
    kind = kind_of(recipe.task)
    pictures = len({row.picture_id for row in every})
    told = {name: value for name, value in provenance.items() if name != "licence"}
    sections = [
        _front_matter(recipe, {split: len(found) for split, found in rows.items()}),
        f"# {recipe.title}\n",
        f"{kind.rows_are.capitalize()}: {kind.counted(len(every), pictures)}, made by the recipe "
        f"`{recipe.name}`" + (f" on the profile `{recipe.profile}`.\n" if recipe.profile else ".\n"),
        "## Splits\n\n"
        + markdown_table(("split", "rows"), [(name, len(found)) for name, found in rows.items()]),
        _how_to_load(),
        "## Gates\n\n" + gates_section(gates, rejections),
        *(["## Measured\n\n" + markdown_table(("what", "value"), measured)] if measured else []),
        "## Balance\n\n" + balance_section(every),
        *(["## Checkpoints\n\n" + checkpoints_section(checkpoints)] if checkpoints else []),
        "## Provenance\n\n"
        + markdown_table(("what", "value"), sorted((k, _value(v)) for k, v in told.items())),
        f"## Licence\n\n{provenance.get('licence', _licence(recipe))}\n",
        "## Samples\n\n" + _samples(rows["train"]),
    ]
    (folder / CARD).write_text("\n".join(sections), encoding="utf-8")


def _licence(recipe: Recipe) -> str:
    return _NO_LICENCE if recipe.source.is_made_here else _NO_LICENCE_OF_OTHERS


def _front_matter(recipe: Recipe, rows: Mapping[Split, int]) -> str:
    """YAML; texts are quoted as JSON, which YAML reads."""
    files = "".join(f"  - split: {one['split']}\n    path: {one['path']}\n" for one in data_files(rows))
    size = size_category(sum(rows.values()))
    return (
        f"---\npretty_name: {strict_json.dumps(recipe.title)}\nlicense: other\n"
        f"task_categories:\n- {kind_of(recipe.task).hub_category}\nsize_categories:\n- {size}\n"
        f"{_tags(recipe)}configs:\n- config_name: default\n  data_files:\n{files}---\n"
    )


def data_files(rows: Mapping[Split, int]) -> list[dict[str, str]]:
    """Where the hub's libraries find each split.

    Empty ones are not named: `datasets` fails to load a split without rows, and all others with it.
    """
    return [{"split": split, "path": f"{DATA}/{split}-*.parquet"} for split, count in rows.items() if count]


def size_category(rows: int) -> str:
    """How large a dataset is, in the hub's words."""
    return next((name for limit, name in _SIZE_CATEGORIES if rows < limit), _LARGEST)


def _tags(recipe: Recipe) -> str:
    is_synthetic = recipe.source.is_made_here or recipe.source.is_labelled
    return "tags:\n- synthetic\n" if is_synthetic else ""


def _how_to_load() -> str:
    return (
        "## How to load it\n\n```python\nfrom datasets import load_dataset\n\n"
        'rows = load_dataset("PATH/OF/THIS/FOLDER")\nrows["train"][0]["image"].show()\n```\n'
    )


def _samples(rows: Sequence[Example]) -> str:
    step = max(1, len(rows) // SAMPLE_ROWS)
    chosen = rows[::step][:SAMPLE_ROWS]
    return markdown_table(("id", "description", "question", "options", "answer"), map(_sample, chosen))


def _sample(row: Example) -> tuple[str, ...]:
    kind = kind_of(row.task)
    return row.id, row.description, row.question, kind.options_shown(row), kind.answer(row)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else strict_json.dumps(value, sort_keys=True, default=str)
