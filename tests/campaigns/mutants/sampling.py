"""Mutants drawn at random: a place of the code first, then one of the changes Cosmic Ray knows for it.

Drawn the other way round, a `+` would weigh eleven times a `not`, as that is how many operators it could be.
"""

import ast
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOMS = ("kinds", "scoring", "curation", "dataset", "sources", "recipes", "store", "inference")


@dataclass(frozen=True)
class Mutant:
    """One change of one file: what Cosmic Ray needs to make it again, and its line."""

    path: str
    operator: str
    occurrence: int
    line: int
    before: str
    after: str

    @property
    def room(self) -> str:
        return self.path.split("/")[1]


@dataclass(frozen=True)
class _Change:
    path: str
    operator: str
    occurrence: int
    line: int


def draw(tree: Path, count: int, seed: int) -> list[Mutant]:
    """`count` mutants of the rooms, the same ones for the same seed and the same code."""
    places: dict[tuple[str, tuple[int, int], tuple[int, int]], list[_Change]] = defaultdict(list)
    operators = [name for name in operator_names() if not get_operator(name).arguments()]
    for room in ROOMS:
        for file in sorted((tree / "blip_core" / room).rglob("*.py")):
            for start, end, change in _changes(tree, file, operators):
                places[change.path, start, end].append(change)
    random_ = random.Random(seed)
    order = random_.sample(sorted(places), len(places))
    drawn = (_mutant(tree, random_.choice(places[place])) for place in order)
    found = islice((mutant for mutant in drawn if mutant), count)
    return sorted(found, key=lambda mutant: (ROOMS.index(mutant.room), mutant.path, mutant.line))


def find(tree: Path, mutant: Mutant) -> tuple[int, str] | None:
    """The line of a mutant now, and its whole file; None where the code no longer holds it."""
    lines = (tree / mutant.path).read_text(encoding="utf-8").splitlines()
    same = [
        (abs(change.line - mutant.line), change)
        for _, _, change in _changes(tree, tree / mutant.path, [mutant.operator])
        if lines[change.line - 1] == mutant.before
        and (made := _mutant(tree, change))
        and made.after == mutant.after
    ]
    if not same:
        return None
    _, nearest = min(same, key=lambda found: (found[0], found[1].occurrence != mutant.occurrence))
    return nearest.line, _apply(tree, nearest) or ""


def _changes(
    tree: Path, file: Path, operators: Sequence[str]
) -> Iterator[tuple[tuple[int, int], tuple[int, int], _Change]]:
    source = file.read_text(encoding="utf-8")
    nodes = list(ast_nodes(get_ast(source)))
    annotations = _annotations(source)
    for name in operators:
        operator = get_operator(name)()
        positions = (position for node in nodes for position in operator.mutation_positions(node))
        for occurrence, (start, end) in enumerate(positions):
            if not any(first <= start < last for first, last in annotations):
                yield start, end, _Change(str(file.relative_to(tree)), name, occurrence, start[0])


def _annotations(source: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where types stand: `int + None` for `int | None` breaks the import and would flatter the tests."""
    found = [
        annotation
        for node in ast.walk(ast.parse(source))
        for annotation in (getattr(node, "annotation", None), getattr(node, "returns", None))
        if annotation is not None and not _holds_numbers(annotation)
    ]
    return [((a.lineno, a.col_offset), (a.end_lineno or a.lineno, a.end_col_offset or 0)) for a in found]


def _holds_numbers(annotation: ast.expr) -> bool:
    """Bounds of a field, as in `Annotated[int, Field(ge=1)]`, are code."""
    return any(isinstance(node, ast.Call) for node in ast.walk(annotation))


@cache
def _apply(tree: Path, change: _Change) -> str | None:
    """The changed file; None where Cosmic Ray cannot make the change, or makes what Python cannot read."""
    source = (tree / change.path).read_text(encoding="utf-8")
    try:
        changed: str | None = mutate_code(source, get_operator(change.operator)(), change.occurrence)
        ast.parse(changed or "")
    except (AttributeError, SyntaxError):  # `except module.Error` is more than it knows
        return None
    return changed


def _mutant(tree: Path, change: _Change) -> Mutant | None:
    changed = _apply(tree, change)
    if changed is None:
        return None
    before, after = (tree / change.path).read_text(encoding="utf-8").splitlines(), changed.splitlines()
    now = (
        after[change.line - 1] if len(after) == len(before) else ""
    )  # without its decorator, it is a line less
    return Mutant(change.path, change.operator, change.occurrence, change.line, before[change.line - 1], now)
