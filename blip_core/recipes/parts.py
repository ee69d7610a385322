"""Parts of a recipe that an installed package brings, with settings of their own."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from pydantic import Field, ValidationError, ValidationInfo, field_validator

from blip_core.errors import RecipeError
from blip_core.plugins import Group, Plugin, load_plugin
from blip_core.recipes.base import Section
from blip_core.recipes.explaining import Layer, explain

Settings = dict[str, Any]


def complete_settings(
    group: Group, name: str, given: Mapping[str, Any], shipped: Collection[str] = ()
) -> Settings:
    """The settings of a plug-in as JSON values, its defaults filled in.

    Raises:
        RecipeError: There is no such plug-in, or it declares no settings.
        ValueError: They are not what it declares.
    """
    plugin = load_plugin(group, name, shipped)
    return checked_settings(str(plugin), settings_of(plugin), given)


def checked_settings(who: str, section: type[Section], given: Mapping[str, Any]) -> Settings:
    """Settings as JSON values, defaults filled in.

    Args:
        who: whose they are, for the message.
        section: what they have to be.
        given: what somebody set.

    Raises:
        ValueError: They are not what the section declares.
    """
    try:
        return section.model_validate(given).model_dump(mode="json")
    except ValidationError as error:
        wrong = explain(error, section, [Layer(who, given)])
        raise ValueError(f"{who} takes other settings: {str(wrong).replace(chr(10), '; ')}") from None


def settings_of(plugin: Plugin) -> type[Section]:
    """The section that a plug-in declares.

    Raises:
        RecipeError: It declares none.
    """
    settings = getattr(plugin.part, "settings", None)
    if isinstance(settings, type) and issubclass(settings, Section):
        return settings
    raise RecipeError(
        f"{plugin} declares no settings: its `settings` must be a class made from blip_core.recipes.Section"
    )


class Part(Section):
    """What is taken from an installed package in place of our own."""

    GROUP: ClassVar[Group]

    name: str = Field(min_length=1, max_length=100)
    """Its name; `foundry recipes --parts` lists what is installed."""
    settings: Settings = Field(default={}, repr=False)
    """What the package lets one set."""

    @field_validator("settings")
    @classmethod
    def _complete(cls, given: Settings, info: ValidationInfo) -> Settings:
        if "name" not in info.data:
            return given  # the name is what is wrong
        return complete_settings(cls.GROUP, info.data["name"], given)


class WriterPart(Part):
    """A writer of an installed package, in place of the checkpoint that writes."""

    GROUP = "writers"


class PainterPart(Part):
    """A painter of an installed package, in place of the checkpoint that paints."""

    GROUP = "painters"


class LabellerPart(Part):
    """A labeller of an installed package, in place of the checkpoint that labels."""

    GROUP = "labellers"


class SourcePart(Part):
    """A source of an installed package."""

    GROUP = "sources"
