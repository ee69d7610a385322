"""One member of the pocket family; its training resumes by itself, so Prefect caches nothing."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

MEMBERS = ("writer", "blip2-t5", "blip2-opt", "llava", "painter")


@task(name="train-member", task_run_name="train {member}", cache_policy=NO_CACHE, persist_result=False)
def train_member(member: str, folder: str, pace: float) -> str:
    """Train one member, or finish what was begun; returns the folder of its checkpoint."""
    if member == "painter":
        return str(_train_painter(Path(folder) / member, pace))
    from blip_core.pocket.family import FINAL, TRAINERS

    TRAINERS[member](Path(folder), pace)
    return str(Path(folder) / member / FINAL)


def _train_painter(folder: Path, pace: float) -> Path:
    from blip_core.pocket.family import FINAL
    from blip_core.pocket.painter.assembling import publish_pipeline
    from blip_core.pocket.painter.training import PainterPlan, load_painter, train_painter

    train_painter(PainterPlan().paced(pace), folder)
    publish_pipeline(load_painter(folder), folder / FINAL)
    return folder / FINAL
