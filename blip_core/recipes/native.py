"""Published sets in the files they come in: which layouts are read, and what each lets one set."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from blip_core.plugins import load_plugin, names_installed
from blip_core.recipes.base import Section, Slug, check_placeholders
from blip_core.recipes.parts import Settings, checked_settings, settings_of

Wording = Literal["as-written", "plain"]


class VqaSettings(Section):
    """Questions and annotations as the VQA challenge has them, pictures of COCO 2014."""

    split: Literal["train2014", "val2014"] = "val2014"
    """Which part."""
    wording: Wording = "as-written"
    """Questions as they stand, or `plain`: lower-cased and without some signs, as LAVIS asks them."""


class GqaSettings(Section):
    """Questions of GQA, pictures by their id."""

    split: Literal["testdev_balanced", "testdev_all", "val_balanced", "val_all", "train_balanced"] = (
        "testdev_balanced"
    )
    """Which file of questions: its name without `_questions.json`."""
    wording: Wording = "as-written"
    """Questions as they stand, or `plain`: lower-cased and without some signs, as LAVIS asks them."""


class AttributeSettings(Section):
    """What sets with attributes in place of texts share: texts are made of the attributes of a row."""

    ATTRIBUTES: ClassVar[frozenset[str]] = frozenset()

    caption: str = ""
    """Caption of a row: a text with attributes in braces."""
    question: str = ""
    """What is asked of every row, for a task that asks."""
    answer: str = ""
    """What is right then: a text with attributes in braces."""
    undefined: str = ""
    """Word for an attribute that a row does not tell; empty, a row that lacks one it needs is refused."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        for field in ("caption", "question", "answer"):
            check_placeholders(field, getattr(self, field), set(), self.ATTRIBUTES)
        return self


class ZapposSettings(AttributeSettings):
    """UT-Zappos50K: folders of pictures, `meta-data.csv`, and `image-path.mat` or its CSV."""

    ATTRIBUTES = frozenset(
        ("object", "category", "material", "closure", "heel", "insole", "gender", "toe", "brand")
    )

    caption: str = "a photo of {material} {object}"
    """Caption of a row: a text with attributes in braces."""
    images: Literal["ut-zap50k-images", "ut-zap50k-images-square"] = "ut-zap50k-images"
    """Which of its two folders of pictures."""


class MitStatesSettings(AttributeSettings):
    """MIT-States: a folder for each adjective and noun."""

    ATTRIBUTES = frozenset(("attribute", "object"))

    caption: str = "a photo of {attribute} {object}"
    """Caption of a row: a text with attributes in braces."""


class FashionSettings(AttributeSettings):
    """DeepFashion-MultiModal: captions, and labels of shape, fabric and pattern."""

    ATTRIBUTES = frozenset(
        (
            *("sleeves", "length", "socks", "hat", "glasses", "neckwear", "wristwear", "ring", "waist"),
            *("neckline", "cardigan", "navel", "upper-fabric", "lower-fabric", "outer-fabric"),
            *("upper-pattern", "lower-pattern", "outer-pattern", "gender", "garment"),
        )
    )


class InShopSettings(AttributeSettings):
    """In-shop Clothes Retrieval of DeepFashion: descriptions, colours and attributes of items."""

    ATTRIBUTES = frozenset(("color", "gender", "garment", "attributes"))

    part: Literal["all", "train", "query", "gallery"] = "all"
    """Which part of `list_eval_partition.txt`."""


class ShardsSettings(Section):
    """Shards of picture-text pairs: TAR files as webdataset and img2dataset write them."""

    pattern: str = Field(default="*.tar", pattern=r"^[^/\\]+$")
    """Names of the shards, with * for anything."""
    caption_key: str = ""
    """Key of the caption in each pair's JSON; empty, its text file is the caption."""


class AltTextSettings(Section):
    """A folder of pictures with a JSONL file of their alternative texts."""

    index: str = Field(default="alt-texts.jsonl", pattern=r"^[^/\\]+$")
    """The JSONL file: an object a line."""
    picture_key: str = "file"
    """Key of the picture's name below the folder."""
    text_key: str = "alt"
    """Key of the text."""
    kept: tuple[str, ...] = Field(default=("address", "licence"), strict=False)
    """Keys of what is kept beside a row as its attributes, where it is a text: where a picture comes from."""


LAYOUTS: Mapping[str, type[Section]] = {
    "vqav2": VqaSettings,
    "okvqa": VqaSettings,
    "gqa": GqaSettings,
    "ut-zappos": ZapposSettings,
    "mit-states": MitStatesSettings,
    "deepfashion-multimodal": FashionSettings,
    "in-shop": InShopSettings,
    "shards": ShardsSettings,
    "alt-texts": AltTextSettings,
}
"""Settings of each layout that ships, by its name; how it is read stands in `blip_core.sources.native`."""


class NativeFiles(Section):
    """A published set in the files it comes in."""

    layout: Slug
    """Which set; docs/how-to/published-sets.md and `foundry recipes --parts` list them."""
    path: str = Field(min_length=1)
    """Folder that the set was unpacked in."""
    limit: int | None = Field(default=None, ge=1)
    """Number of rows, from the start of the set; if absent, all."""
    settings: Settings = Field(default={}, repr=False)
    """What the layout lets one set."""

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: Any) -> Any:
        if not isinstance(given, Mapping) or not isinstance(given.get("layout"), str):
            return given  # told by the field itself
        settings = given.get("settings", {})
        if not isinstance(settings, Mapping):
            return given
        return {**given, "settings": checked_settings(given["layout"], section_of(given["layout"]), settings)}


def section_of(layout: str) -> type[Section]:
    """The section that a layout's settings are.

    Raises:
        ValueError: There is no such layout.
        RecipeError: That of an installed package cannot be loaded, or declares no settings.
    """
    if layout in LAYOUTS:
        return LAYOUTS[layout]
    others = names_installed("layouts")
    if layout not in others:
        raise ValueError(f"layout is {layout!r}; allowed: {', '.join([*LAYOUTS, *others])}")
    return settings_of(load_plugin("layouts", layout))


def attributes_of(layout: str) -> frozenset[str]:
    """What the rows of a layout tell of their pictures, by name; none of a layout that tells texts alone."""
    section = section_of(layout)
    return section.ATTRIBUTES if issubclass(section, AttributeSettings) else frozenset()
