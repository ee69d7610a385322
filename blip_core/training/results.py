"""What came of a tuning."""

from dataclasses import dataclass, field
from pathlib import Path

from blip_core.records import Rejection
from blip_core.training.probing import Remembered
from blip_core.training.sampling import Sample


@dataclass(frozen=True, slots=True)
class TrainingCounts:
    """What was done to come to an adapter; a resumed tuning counts its earlier processes as well.

    Attributes:
        rows: examples that were learnt from, in every epoch.
        cut_texts: of these, examples with a text that was too long and lost a part.
        quarantined: examples left out because their picture cannot be read, validation included.
        vision_forwards: pictures that went through the vision tower, in this process.
        padded_share: pads among all places of the batches that the language model ran on, 0 to 1.
        tokens: places that were no pads, image tokens included.
        skipped_steps: steps without an update because loss or gradient was NaN or infinite.
        resumed_at: step of the checkpoint that was gone on from; None where none was.
        micro_batch_size: rows in one pass at the end, after halvings where memory ran out.
        stopped_early: whether the validation loss ended it before the planned steps.
        seconds: wall time, pictures encoded and base's own descriptions included.
    """

    rows: int = 0
    cut_texts: int = 0
    quarantined: int = 0
    vision_forwards: int = 0
    padded_share: float = 0.0
    tokens: int = 0
    skipped_steps: int = 0
    resumed_at: int | None = None
    micro_batch_size: int = 0
    stopped_early: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What came of a tuning.

    Attributes:
        curve: metrics by step: `step`, `learning_rate`, `loss` and `grad_norm` unless the step was skipped,
            at times `validation_loss`, `validation_accuracy` and `probe/NAME` of each probe; row 0 is what
            was measured before training.
        steps: steps taken.
        trainable: weights that were trained.
        seconds: wall time, as in the counts.
        best_validation_loss: of the adapter that was saved; None without validation rows.
        best_step: the step it is from.
        adapter: folder it was saved in.
        samples: what the model said of a few rows before the first step and after every epoch.
        counts: what was done.
        rejections: pictures that cannot be read, each with the reason.
        remembered: what each probe scored before and after.
    """

    curve: list[dict[str, float]]
    steps: int
    trainable: int
    seconds: float
    best_validation_loss: float | None
    best_step: int
    adapter: Path
    samples: list[Sample] = field(default_factory=list)
    counts: TrainingCounts = field(default_factory=TrainingCounts)
    rejections: list[Rejection] = field(default_factory=list)
    remembered: list[Remembered] = field(default_factory=list)
