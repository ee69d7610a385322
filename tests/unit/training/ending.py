"""How a tuning is ended from outside, and what it leaves."""

from collections.abc import Callable, Mapping

from blip_core.training import TrainingResult


class Ended(BaseException):
    """What comes from outside and ends a process."""


def end_at(step: int) -> Callable[[int, Mapping[str, float]], None]:
    def on_step(now: int, metrics: Mapping[str, float]) -> None:
        if now == step:
            raise Ended

    return on_step


def weights(result: TrainingResult) -> list[bytes]:
    return [path.read_bytes() for path in sorted(result.adapter.glob("*.safetensors"))]
