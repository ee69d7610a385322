"""What a recipe expects of its variants, declared before anybody looks."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from blip_core.recipes.base import Section, Slug
from blip_core.recipes.word_options import BY_OPTIONS

Expectation = Literal["more", "less", "no_worse", "at_least"]

ASKED = "@"
"""Between a variant and the mode in which it was asked: `finetuned@one-stage`."""

_MAX_NAME_CHARS = 96


class Finding(Section):
    """A comparison of two variants by one measure, and what is expected of it."""

    name: Slug
    """Short name."""
    measure: Slug = "letter-right"
    """Which measure is compared."""
    set: str = Field(default="", max_length=64)
    """Which evaluation rows: `evaluation.kind`, or a phase for its own; empty takes the recipe's."""
    a: str = Field(min_length=1, max_length=_MAX_NAME_CHARS)
    """Variant that is measured against; NAME@MODE is one in a mode of `inference.ablations`."""
    b: str = Field(min_length=1, max_length=_MAX_NAME_CHARS)
    """Variant that is measured."""
    test: Literal["paired"] = "paired"
    """How they are compared: row by row, on the same rows."""
    expect: Expectation = "more"
    """What `b` is expected to have beside `a`: more, less, nothing worse, or at least the margin more."""
    margin: float = Field(default=0.0, ge=0.0)
    """How much more, less or worse, in the measure's own unit: 0.02 is two points of a share."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.a == self.b:
            raise ValueError(f"finding {self.name}: a and b are both {self.a}; name two variants")
        return self

    @property
    def about(self) -> frozenset[str]:
        """The variants that it compares, however they are asked."""
        return frozenset(side.partition(ASKED)[0] for side in (self.a, self.b))


def check_findings(
    findings: Sequence[Finding], variants: Collection[str], sets: Mapping[str, Collection[str]]
) -> None:
    """Refuse findings over what a recipe does not compare.

    Args:
        findings: of the recipe.
        variants: names of those that are compared.
        sets: names of the rows that they are judged on, the recipe's own first, each with the modes in which
            these are asked besides the usual way.

    Raises:
        ValueError: One names a variant, mode or set that is not there.
    """
    own_set, *phases = sets
    for finding in findings:
        rows = finding.set or own_set
        if rows not in sets:
            others = f", or the phase whose rows are meant ({', '.join(phases)})" if phases else ""
            raise ValueError(
                f"finding {finding.name}: set is {finding.set!r}, but the variants are judged on {own_set} "
                f"(evaluation.kind); name that{others}, or leave set out"
            )
        for side in (finding.a, finding.b):
            _check_side(finding.name, side, variants, sets[rows])


def _check_side(finding: str, side: str, variants: Collection[str], modes: Collection[str]) -> None:
    name, asked, mode = side.partition(ASKED)
    if name not in variants:
        raise ValueError(
            f"finding {finding}: {name} is not compared; allowed: {', '.join(variants)}. Name one of them, "
            "or take the finding out of findings"
        )
    if asked and mode not in modes:
        raise ValueError(
            f"finding {finding}: {side} is asked in the mode {mode!r}, and inference.ablations holds "
            f"{', '.join(modes) or 'none'}; add the mode there ({BY_OPTIONS}: inference.options), or "
            "take the finding out of findings"
        )


def without_overtaken(
    findings: Sequence[Any], before: Mapping[str, Any], after: Mapping[str, Any]
) -> list[Any]:
    """Findings less those over something that is compared below a layer and not with it.

    Whoever compares other variants, in a profile or for once, need not take the recipe's findings out by
    hand. A finding that fits neither stays, so that it is refused.

    Args:
        findings: tables as TOML gives them, unchecked.
        before: the recipe without the layer, unchecked.
        after: the recipe with it, unchecked.
    """
    if before.get("task") != after.get("task"):
        return []  # other answers, other measures
    return [one for one in findings if _fits(one, after) or not _fits(one, before)]


def _fits(finding: Any, recipe: Mapping[str, Any]) -> bool:
    if not isinstance(finding, Mapping):
        return False
    names, modes = _names(recipe.get("variants")), _modes(recipe.get("inference"))
    sides = [str(finding.get(side, "")).partition(ASKED) for side in ("a", "b")]
    compared = all(name in names and (not asked or mode in modes) for name, asked, mode in sides)
    sets = ["", _kind(recipe.get("evaluation")), *_names(recipe.get("phases"))]
    return compared and finding.get("set", "") in sets


def _names(tables: Any) -> list[Any]:
    return [one.get("name") for one in _listed(tables) if isinstance(one, Mapping)]


def _modes(inference: Any) -> list[Any]:
    if not isinstance(inference, Mapping):
        return []
    return [*_listed(inference.get("ablations")), *([BY_OPTIONS] if inference.get("options") else [])]


def _kind(evaluation: Any) -> Any:
    return evaluation.get("kind") if isinstance(evaluation, Mapping) else None


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, Sequence) and not isinstance(value, str) else []
