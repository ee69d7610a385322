"""Parts that other packages add, found by their entry points when a recipe names one.

An entry point's group says what kind of part it is (`blip_foundry.gates`), its name what recipes call it, its
value where the part stands (`shadows:GATE`). Nothing is imported before a recipe names it. What a part does
is versioned by the package that brings it: name and version of the distribution are part of keys.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, ParamSpec, TypeVar, get_args

from blip_core.errors import FoundryError, RecipeError, StageFailure

Group = Literal[
    "gates", "steps", "measures", "kinds", "sources", "layouts", "writers", "painters", "labellers"
]
GROUPS: tuple[Group, ...] = get_args(Group)

_PREFIX = "blip_foundry."
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Plugin:
    """A part that an installed package brings.

    Attributes:
        group: what kind of part it is.
        name: what recipes call it.
        origin: name and version of the package, as `shadows 1.0`; enters keys.
        part: what the entry point names.
    """

    group: Group
    name: str
    origin: str
    part: Any

    def __str__(self) -> str:
        return f"the {_singular(self.group)} {self.name} of {self.origin}"

    @contextmanager
    def named(self) -> Iterator[None]:
        """Name the plug-in in whatever fails inside.

        Raises:
            FoundryError: As it was raised.
            StageFailure: For any other error.
        """
        try:
            yield
        except FoundryError:
            raise
        except Exception as error:
            raise StageFailure(f"{self} failed: {type(error).__name__}: {error}") from error

    def guarded(self, function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
        """A function of the plug-in that names it when it fails."""

        @wraps(function)
        def call(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
            with self.named():
                return function(*args, **kwargs)

        return call


def installed(group: Group) -> list[EntryPoint]:
    """Entry points of a group, by name; none of them is loaded."""
    return sorted(entry_points(group=f"{_PREFIX}{group}"), key=lambda entry: (entry.name, origin_of(entry)))


def origin_of(entry: EntryPoint) -> str:
    """Name and version of the package that brings an entry point."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "a package without metadata"


def names_installed(group: Group) -> list[str]:
    """What installed packages call their parts of a group."""
    return [entry.name for entry in installed(group)]


def refuse_taken(group: Group, names: Collection[str]) -> None:
    """Make sure that no installed package calls a part as one of ours that is used.

    Raises:
        RecipeError: One does.
    """
    for entry in installed(group):
        if entry.name in names:
            raise _taken(_singular(group), entry)


def load_plugin(group: Group, name: str, shipped: Collection[str] = ()) -> Plugin:
    """Load the part of that name.

    Args:
        group: what kind of part.
        name: as a recipe calls it.
        shipped: names of our own parts, which no plug-in may have.

    Raises:
        RecipeError: No installed package brings it, two do, its name is taken, or it cannot be loaded.
    """
    what = _singular(group)
    found = [entry for entry in installed(group) if entry.name == name]
    if not found:
        raise RecipeError(
            f"no installed package brings a {what} named {name!r}; installed: {_listed(group)}. Install the "
            f"package that does (its entry points are of the group {_PREFIX}{group})"
        )
    origins = [origin_of(entry) for entry in found]
    if name in shipped:
        raise _taken(what, found[0])
    if len(found) > 1:
        raise RecipeError(
            f"the {what} {name} is brought by {' and by '.join(origins)}: names must differ; uninstall one"
        )
    return Plugin(group, name, origins[0], _load(found[0], what))


def _taken(what: str, entry: EntryPoint) -> RecipeError:
    return RecipeError(
        f"the {what} {entry.name} of {origin_of(entry)} has the name of one that ships; that package must "
        "rename it, or be uninstalled"
    )


def _load(entry: EntryPoint, what: str) -> Any:
    try:
        return entry.load()
    except (Exception, SystemExit) as error:
        raise RecipeError(
            f"the {what} {entry.name} of {origin_of(entry)} cannot be loaded from {entry.value}: "
            f"{type(error).__name__}: {error}; mend or update that package"
        ) from error


def _listed(group: Group) -> str:
    return ", ".join(f"{entry.name} ({origin_of(entry)})" for entry in installed(group)) or "none"


def _singular(group: Group) -> str:
    return group.removesuffix("s")
