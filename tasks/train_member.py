"""Trains one member of the pocket family; what was trained before a kill is not trained again."""

from pathlib import Path

from prefect import task

PAINTER = "painter"


def member_names() -> tuple[str, ...]:
    """Members in the order they are trained."""
    from blip_core.pocket.family import TRAINERS

    return (*TRAINERS, PAINTER)


def how_far(member: str, build: Path) -> str:
    """Whether a member is finished, begun or still to be trained below a folder."""
    from blip_core.pocket.family import FINAL

    folder = build / member
    if (folder / FINAL).exists():
        return "finished"
    return "begun" if folder.exists() else "to be trained"


@task(task_run_name="train-{member}", persist_result=False)
def train_member(member: str, build: Path, pace: float) -> Path:
    """Train a member below a folder and publish it there.

    Args:
        member: name, such as `llava`.
        build: folder of all parts; the checkpoint comes to lie in `build/member/final`.
        pace: share of the planned steps, for trials.
    """
    from blip_core.pocket.family import FINAL, TRAINERS

    if member == PAINTER:
        _train_painter(build / PAINTER, build / PAINTER / FINAL, pace)
    else:
        TRAINERS[member](build, pace)
    return build / member / FINAL


def _train_painter(folder: Path, final: Path, pace: float) -> None:
    from blip_core.pocket.painter.assembling import publish_pipeline
    from blip_core.pocket.painter.training import PainterPlan, load_painter, train_painter

    train_painter(PainterPlan().paced(pace), folder)
    publish_pipeline(load_painter(folder), final)
