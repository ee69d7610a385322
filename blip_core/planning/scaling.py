"""A plan on several GPUs: hours, price, what the store is asked, and what breaks first.

Derived throughout: where a stage is shared out, N workers take the N-th part of its time on one GPU. What
they lose by waiting for each other, for the network or for the store is not in it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from blip_core.errors import RecipeError
from blip_core.planning.cards import GB
from blip_core.planning.plan import Plan
from blip_core.planning.stages import SHARED_OUT
from blip_core.planning.storage import PICTURE_COPIES
from blip_core.planning.timing import SECONDS_AN_HOUR, Timing

GPU_HOUR_PRICE = 2.5  # of whatever currency: an assumption, for the reader's own price to replace
MACHINE_GPUS = 8  # that tune together at the most: those of one machine
TUNED = "finetune"
STEP_METRICS = 3  # that a step of tuning tells: loss, norm of the gradient, learning rate
LISTED_AT_ONCE = 1000  # objects that a bucket names in an answer
SHARD_REQUESTS: Mapping[str, int] = {"GET": 7, "PUT": 4, "LIST": 1, "DELETE": 1}
"""Of a bucket, by a run and a worker elsewhere, for a shard; counted by a test."""
HANDED_REQUESTS: Mapping[str, int] = {"GET": 6, "PUT": 4, "LIST": 2, "DELETE": 4}
"""For a shard whose rows, being large, go to its worker through the store besides."""
LEASE_RENEWED_S = 10.0
PART_BYTES = 8 * 2**20  # in which large files are sent, each by a request
LOOK_S = 0.02  # that a bucket takes to say whether a shard is there; an assumption
_LOOKS = 2  # of a run at each shard: before it is worked and behind
_SELDOM = 10  # the rows learnt are so many times those that looks at validation should read at the most
PASSED_ON = ("labels", "predict")  # whose shards hold pictures
DATASET_MS_A_ROW = 3.9  # CPU time of gates without a model and of Parquet: docs/benchmarks/dataset.md
DATASET_BYTES_A_ROW = 9_500  # that the memory of gates grows by; likewise, of rows with pictures of 64 x 64


@dataclass(frozen=True, slots=True)
class Share:
    """A stage on several GPUs.

    Attributes:
        stage: its name.
        gpus: that work at it.
        hours: that it takes; None where nothing is known of its time.
        gpu_hours: that it works; likewise.
        why: what keeps more GPUs from helping; empty where all of them work.
    """

    stage: str
    gpus: int
    hours: float | None
    gpu_hours: float | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Limit:
    """Something that grows with the rows: what, how far, and what helps."""

    what: str
    size: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a bucket holds and is asked, where the store is one.

    Attributes:
        shards: pieces of work.
        put_bytes: that are written in all, those that only pass through among them.
        requests: by kind; `PUT` holds the renewals of leases.
    """

    shards: int
    put_bytes: int
    requests: Mapping[str, int]


@dataclass(frozen=True)
class Scaled:
    """A plan on several GPUs.

    Attributes:
        gpus: how many are held from the first stage to the last.
        price: of an hour of one.
        shares: by stage, in order.
        traffic: of the store.
        limits: what breaks first, in order.
    """

    gpus: int
    price: float
    shares: Sequence[Share]
    traffic: Traffic
    limits: Sequence[Limit]

    @property
    def hours(self) -> float:
        """Of all stages whose time is known, one after the other."""
        return sum(share.hours or 0.0 for share in self.shares)

    @property
    def gpu_hours(self) -> float:
        """In which GPUs work."""
        return sum(share.gpu_hours or 0.0 for share in self.shares)

    @property
    def bottleneck(self) -> Share | None:
        """The stage that takes longest."""
        known = [share for share in self.shares if share.hours is not None]
        return max(known, key=lambda share: share.hours or 0.0, default=None)

    @property
    def busy(self) -> float:
        """Share of the held GPUs' time in which they work."""
        return self.gpu_hours / (self.hours * self.gpus) if self.hours else 0.0

    def to_dict(self) -> dict[str, Any]:
        """As programs read it."""
        slowest = self.bottleneck
        return {
            "gpus": self.gpus,
            "gpu_hour_price": self.price,
            "hours": self.hours,
            "price_of_work": self.gpu_hours * self.price,
            "price_of_all_held": self.hours * self.gpus * self.price,
            "bottleneck": slowest.stage if slowest else None,
            "stages": [asdict(share) for share in self.shares],
            "store": asdict(self.traffic),
            "limits": [asdict(limit) for limit in self.limits],
        }


def scale(plan: Plan, gpus: int, price: float, rows_a_shard: Mapping[str, int]) -> Scaled:
    """Share a plan out among GPUs.

    Args:
        plan: of one machine.
        gpus: that are held.
        price: of an hour of one, in whatever currency.
        rows_a_shard: by stage that is shared out.

    Raises:
        RecipeError: Its models run on a CPU.
    """
    if plan.where != "cuda":
        raise RecipeError(
            f"the models of {plan.recipe.name} ({plan.recipe.profile}) run on a CPU: --gpus takes a profile "
            "for GPUs, such as --profile datacenter, or --set device.kind=cuda"
        )
    timings = [timing for one in plan.before for timing in one.of_rows_and_tuning] + list(plan.timings)
    shares = [_share(timing, gpus, plan, rows_a_shard) for timing in timings]
    traffic = _traffic(plan, timings, rows_a_shard)
    scaled = Scaled(gpus, price, shares, traffic, ())
    return Scaled(gpus, price, shares, traffic, list(_limits(plan, scaled)))


def _group(stage: str) -> str:
    return stage.partition(" ")[0]


def _share(timing: Timing, gpus: int, plan: Plan, rows_a_shard: Mapping[str, int]) -> Share:
    useful, why = _useful(timing, plan, rows_a_shard)
    working = min(gpus, useful)
    why = why if useful < gpus else ""
    if not timing.is_known:
        return Share(timing.stage, working, None, None, why)
    return Share(timing.stage, working, timing.device_hours / working, timing.device_hours, why)


def _useful(timing: Timing, plan: Plan, rows_a_shard: Mapping[str, int]) -> tuple[int, str]:
    """How many GPUs can work at a stage, and why no more."""
    group = _group(timing.stage)
    if group in SHARED_OUT:
        return math.ceil(timing.rows / rows_a_shard[group]), "it has no more shards"
    if group == TUNED:
        return min(MACHINE_GPUS, plan.recipe.finetune.batch_size), "one machine tunes"
    return 1, "one process works it"


def _traffic(plan: Plan, timings: Sequence[Timing], rows_a_shard: Mapping[str, int]) -> Traffic:
    shared = [timing for timing in timings if _group(timing.stage) in SHARED_OUT]
    handed = [timing for timing in shared if _group(timing.stage) in PASSED_ON]
    shards = _shards(shared, rows_a_shard)
    passed = _shards(handed, rows_a_shard)
    requests = {
        kind: shards * count + passed * HANDED_REQUESTS[kind] for kind, count in SHARD_REQUESTS.items()
    }
    one = plan.disk.pictures / max(plan.counts.pictures, 1) / PICTURE_COPIES
    through = round(one * sum(timing.rows for timing in handed))
    written = plan.disk.pictures + plan.disk.rows + through
    working_s = sum(timing.device_hours for timing in shared) * SECONDS_AN_HOUR
    requests["PUT"] += round(working_s / LEASE_RENEWED_S) + written // PART_BYTES
    return Traffic(shards, written, requests)


def _shards(timings: Sequence[Timing], rows_a_shard: Mapping[str, int]) -> int:
    return sum(math.ceil(timing.rows / rows_a_shard[_group(timing.stage)]) for timing in timings)


def _limits(plan: Plan, scaled: Scaled) -> Iterator[Limit]:
    yield from _looks(plan)
    yield _memory(plan)
    yield from _waiting(scaled)
    yield _gathering(plan)
    yield _asking(scaled.traffic)
    yield from _metrics(plan)


def _steps(plan: Plan) -> int:
    settings = plan.recipe.finetune
    return math.ceil(settings.epochs * plan.counts.train / settings.batch_size)


def _looks(plan: Plan) -> Iterator[Limit]:
    """Validation, where it reads more rows than are learnt."""
    settings, counts = plan.recipe.finetune, plan.counts
    looks = _steps(plan) // settings.eval_every_steps
    read, learnt = looks * counts.validation, settings.epochs * counts.train
    if read <= learnt:
        return
    seldom = settings.eval_every_steps * math.ceil(_SELDOM * read / learnt)
    yield Limit(
        "validation while tuning",
        f"{looks:,} looks at {counts.validation:,} rows read {read / learnt:,.0f} times the rows learnt",
        f"--set finetune.eval_every_steps={seldom}, or a smaller dataset.validation_share",
    )


def _memory(plan: Plan) -> Limit:
    stage = max(plan.host, key=lambda name: plan.host[name])
    return Limit(
        "main memory of one machine",
        f"{plan.host[stage] / GB:,.0f} GB: {stage} holds its rows with their pictures",
        "smaller pictures, or a machine that has it: rows are not yet read piece by piece",
    )


def _waiting(scaled: Scaled) -> Iterator[Limit]:
    idle = [share for share in scaled.shares if share.why]
    if not idle or not scaled.hours:
        return
    names = ", ".join(f"{share.stage} {share.gpus}" for share in idle)
    yield Limit(
        "GPUs that wait",
        f"{100 * scaled.busy:.0f} % of the time that is paid for is worked; of {scaled.gpus} use: {names}",
        "give workers back behind each stage; run the others on a machine of their own",
    )


def _gathering(plan: Plan) -> Limit:
    rows = plan.counts.labels
    hours = rows * DATASET_MS_A_ROW / 1000 / SECONDS_AN_HOUR
    return Limit(
        "gates and Parquet, by one process",
        f"{hours:,.1f} h of one core; {rows * DATASET_BYTES_A_ROW / GB:,.1f} GB with pictures of 64 x 64 px",
        "gates that are not needed, off; gates with models take more",
    )


def _asking(traffic: Traffic) -> Limit:
    pages = math.ceil(traffic.shards / LISTED_AT_ONCE)
    minutes = traffic.shards * _LOOKS * LOOK_S / 60
    return Limit(
        "manifests of the store",
        f"{traffic.shards:,} shards, looked for one by one: {minutes:,.0f} min in a bucket that takes "
        f"{1000 * LOOK_S:.0f} ms, {pages:,} answers to list them",
        "a bucket near the run",
    )


def _metrics(plan: Plan) -> Iterator[Limit]:
    if plan.counts.train:
        told = _steps(plan) * STEP_METRICS
        yield Limit(
            "metrics of MLflow",
            f"{told:,} values of {_steps(plan):,} steps in one run",
            "a larger finetune.batch_size; PostgreSQL rather than SQLite",
        )
