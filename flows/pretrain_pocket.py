"""world -> writer, both BLIP-2, labeller, painter: the bundled family, from fixed seeds."""

from collections.abc import Sequence
from pathlib import Path

from prefect import flow

from blip_core.errors import RecipeError
from tasks.train_member import member_names, train_member


@flow(name="pretrain-pocket")
def pretrain_pocket(build: Path, members: Sequence[str] = (), pace: float = 1.0) -> list[Path]:
    """Train the pocket family, which takes hours on two cores; started again it goes on where it was.

    Args:
        build: Folder for parts and finished checkpoints.
        members: Which members; none named, all.
        pace: Share of the planned steps, for trials.
    """
    return [train_member(member, build, pace) for member in chosen_members(members)]


def chosen_members(members: Sequence[str]) -> Sequence[str]:
    """The members that are named, or all.

    Raises:
        RecipeError: The family has none of that name.
    """
    known = member_names()
    unknown = [member for member in members if member not in known]
    if unknown:
        raise RecipeError(f"the pocket family has no {', '.join(unknown)}; it has {', '.join(known)}")
    return members or known
