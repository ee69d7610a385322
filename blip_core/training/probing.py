"""What a model that is tuned still can: fixed rows, answered before, while and after it learns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from blip_core import strict_json
from blip_core.errors import TrainingFailure
from blip_core.figures import PROBE
from blip_core.inference.predicting import predict
from blip_core.modeling.features import VisionStates
from blip_core.modeling.loading import Blip2Bundle
from blip_core.recipes.inference import Inference
from blip_core.records import Example, example_schema
from blip_core.scoring.measurement import answers_of
from blip_core.scoring.measures import measure_named
from blip_core.store import read_rows, write_rows
from blip_core.training.sampling import undisturbed, while_training

_PROBES = "probes.json"


@dataclass(frozen=True)
class ProbedRows:
    """The rows of a probe, and how they are asked and judged.

    Attributes:
        name: of the probe.
        examples: its rows.
        asking: prompts and lengths.
        measure: name of what judges the answers.
        every_steps: steps between two looks; 0 looks after every epoch.
    """

    name: str
    examples: Sequence[Example]
    asking: Inference
    measure: str
    every_steps: int = 0


@dataclass(frozen=True, slots=True)
class Remembered:
    """What came of a probe.

    Attributes:
        probe: its name.
        measure: what judged it.
        words: what that says, for people.
        rows: how many were judged.
        before: mean before the first step.
        after: mean of the adapter that was kept.
    """

    probe: str
    measure: str
    words: str
    rows: int
    before: float
    after: float


class Prober:
    """Lets a model that is tuned answer the rows of its probes.

    Args:
        bundle: the model, with its adapter.
        probes: their rows.
        states: where the vision states of their pictures are kept.
        steps_per_epoch: of the tuning.
    """

    def __init__(
        self,
        bundle: Blip2Bundle,
        probes: Sequence[ProbedRows],
        states: VisionStates,
        steps_per_epoch: int,
    ) -> None:
        self._bundle = bundle
        self._probes = probes
        self._states = states
        self._steps_per_epoch = steps_per_epoch

    def due(self, step: int, is_last: bool) -> dict[str, float]:
        """Means of the probes whose turn it is after a step, by their columns."""
        return {
            PROBE + probe.name: self._mean(probe)
            for probe in self._probes
            if is_last or step % (probe.every_steps or self._steps_per_epoch) == 0
        }

    def remembered(self, before: Mapping[str, float], known: Mapping[str, float]) -> list[Remembered]:
        """What each probe scores now beside what it scored before.

        Args:
            before: means by column, before the first step.
            known: means of the weights as they are now, where these were judged already.
        """
        return [
            Remembered(
                probe.name,
                probe.measure,
                measure_named(probe.measure).words,
                len(probe.examples),
                before[PROBE + probe.name],
                self._now(probe, known),
            )
            for probe in self._probes
        ]

    def _now(self, probe: ProbedRows, known: Mapping[str, float]) -> float:
        judged = known.get(PROBE + probe.name)
        return self._mean(probe) if judged is None else judged

    def _mean(self, probe: ProbedRows) -> float:
        with undisturbed(self._bundle.model, self._bundle.device):
            said = predict(
                self._bundle, probe.examples, while_training(probe.asking), "", states=self._states
            )
        values = measure_named(probe.measure).values(answers_of(said))
        known = [value for value in values if value is not None]
        if not known:
            raise TrainingFailure(
                f"the probe {probe.name} cannot be judged: {probe.measure} says nothing of its rows; name a "
                f"measure of its task in probes.{probe.name}.measure, or rows whose right answers are known"
            )
        return sum(known) / len(known)


def write_probes(folder: Path, probes: Sequence[ProbedRows]) -> None:
    """Write rows and wording of probes to a folder, for processes that tune together."""
    for probe in probes:
        write_rows(folder / f"{probe.name}.parquet", probe.examples, example_schema(probe.examples))
    told = [
        {
            "name": probe.name,
            "asking": probe.asking.model_dump(mode="json"),
            "measure": probe.measure,
            "every_steps": probe.every_steps,
        }
        for probe in probes
    ]
    (folder / _PROBES).write_text(strict_json.dumps(told), encoding="utf-8")


def read_probes(folder: Path) -> list[ProbedRows]:
    """The probes that `write_probes` wrote."""
    told = strict_json.loads((folder / _PROBES).read_text(encoding="utf-8"))
    return [
        ProbedRows(
            one["name"],
            read_rows(folder / f"{one['name']}.parquet", Example),
            Inference.model_validate_json(strict_json.dumps(one["asking"])),
            one["measure"],
            one["every_steps"],
        )
        for one in told
    ]
