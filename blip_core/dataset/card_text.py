"""A dataset's card taken apart: its front matter, and its texts by heading."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from blip_core.dataset.card import CARD, data_files, size_category
from blip_core.errors import UserMistake
from blip_core.records import Split

_HEADING = re.compile(r"^## ", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class CardText:
    """A card.

    Attributes:
        front: its front matter.
        sections: texts by heading, in order; what stands before the first has none.
    """

    front: Mapping[str, Any]
    sections: Mapping[str, str]

    @property
    def body(self) -> str:
        return "\n".join(text if not head else f"## {head}\n\n{text}" for head, text in self.sections.items())

    def counted(self, splits: Mapping[Split, int]) -> Self:
        """The card with the front matter of a dataset of that many rows; a split without any is not named."""
        told = {
            "size_categories": [size_category(sum(splits.values()))],
            "configs": [{"config_name": "default", "data_files": data_files(splits)}],
        }
        return replace(self, front={**self.front, **told})

    def write(self, path: Path) -> None:
        from huggingface_hub import DatasetCardData

        front = DatasetCardData(**self.front).to_yaml()
        path.write_text(f"---\n{front}\n---\n{self.body}", encoding="utf-8")


def read_card(folder: Path) -> CardText:
    """The card of a dataset folder; a bare one where it has none.

    Raises:
        UserMistake: Its front matter, which people may have changed, cannot be read.
    """
    import yaml
    from huggingface_hub import DatasetCard

    path = folder / CARD
    if not path.is_file():
        return CardText({"license": "other"}, {"": f"# {folder.name}\n"})
    try:
        card = DatasetCard(path.read_text(encoding="utf-8"))
        front: dict[str, Any] = dict(vars(card.data))
    except (ValueError, TypeError, yaml.YAMLError) as error:
        raise UserMistake(f"the front matter of {path} cannot be read: {error}") from error
    first, *others = _HEADING.split(str(card.text))
    parted = (text.partition("\n") for text in others)
    return CardText(front, {"": first} | {head.strip(): text.strip("\n") + "\n" for head, _, text in parted})
