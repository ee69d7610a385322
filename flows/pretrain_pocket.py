"""seed -> writer, BLIP-2 T5, BLIP-2 OPT, LLaVA, painter: how the shipped pocket family was made.

Nobody who uses the family needs this: its weights are shipped. It takes some hours on two cores and goes on
where it was killed.
"""

from pathlib import Path
from typing import Annotated

from prefect import flow
from pydantic import Field

from tasks.train_member import MEMBERS, train_member


@flow(name="pretrain-pocket", flow_run_name="pretrain-pocket")
def pretrain_pocket(
    folder: str = "pocket-build",
    members: tuple[str, ...] = MEMBERS,
    pace: Annotated[float, Field(gt=0.0, le=4.0)] = 1.0,
) -> dict[str, str]:
    """Train members of the pocket family from their seeds.

    Args:
        folder: Where checkpoints of unfinished parts and the finished members lie.
        members: Which members to train.
        pace: Steps of every part, as a share of what the shipped family had; small values are for trials.
    """
    place = str(Path(folder).absolute())
    return {member: train_member(member, place, pace) for member in members}


def main() -> None:
    """Train the whole family below the current folder, on a Prefect server that is up or an embedded one."""
    from blip_core.wiring import prepare_environment, workplace

    prepare_environment(workplace())
    pretrain_pocket()


if __name__ == "__main__":
    main()
