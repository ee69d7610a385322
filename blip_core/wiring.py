"""The one composition root: from a recipe and the environment to stores, trackers and models.

Environment variables are read here and nowhere else:

    FOUNDRY_HOME          where everything rests; ~/.blip-foundry by default
    FOUNDRY_MODELS        snapshots of hub checkpoints, as owner/name; HOME/models by default
    MLFLOW_TRACKING_URI   another MLflow than the database below the home
    PREFECT_API_URL       another Prefect server than the embedded one
    key_variable          of a variant behind a server: the one that the recipe names holds its key
"""

import hashlib
import json
import logging
import os
import subprocess
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blip_core.errors import CheckpointError, PlaceError, RecipeError, TableError
from blip_core.pocket import models_dir
from blip_core.ports import Labeller, Painter, TextWriter
from blip_core.prefetching import LOCK_NAME, LockedCheckpoint, damage, read_lock, used_checkpoints
from blip_core.recipes import Checkpoint, Inference, Pictures, Recipe, ServerVariant, Variant
from blip_core.recipes.evaluation import TableEvaluation
from blip_core.recipes.source import Source
from blip_core.records import LETTERS, Example
from blip_core.store import Store
from blip_core.tracking import MlflowTracker, Registry, artifact_root, prepare_store, quiet_environment

if TYPE_CHECKING:
    from blip_core.backends.openai_compatible import ChatClient
    from blip_core.inference.served import ServedModel
    from blip_core.modeling import Blip2Bundle
    from blip_core.modeling.features import VisionStates
    from blip_core.training.launching import Job

DEFAULT_HOME = "~/.blip-foundry"
WORLD_VERSION = 1  # goes up when the composer draws another picture for the same seed
RUNNABLE_TASK = "mcq"
NO_TOKENS = 1  # as few as can be asked for, where nothing is to be written
_DIGEST_BLOCK = 1 << 20
_MODEL_FILES = (".safetensors", ".gguf", ".json", ".txt", ".model", ".jinja")


@dataclass(frozen=True)
class Workplace:
    """Where a run finds and leaves everything."""

    home: Path
    models: Path
    tracking_uri: str

    @property
    def store(self) -> Store:
        return _store(self.home / "store")

    @property
    def lock(self) -> Path:
        """Lock file of the hub checkpoints."""
        return self.home / LOCK_NAME

    @property
    def training(self) -> Path:
        """Checkpoints of tunings that are not finished, a folder a key."""
        return self.home / "training"

    @property
    def journal(self) -> Path:
        return self.home / "journal"

    @property
    def reports(self) -> Path:
        return self.home / "reports"

    @property
    def mlflow(self) -> Path:
        return self.home / "mlflow"

    @property
    def prefect(self) -> Path:
        return self.home / "prefect"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    def tracker(self) -> MlflowTracker:
        """The tracker of this place; the database of its own is set up when it is first asked for."""
        if self.tracking_uri:
            return MlflowTracker(self.tracking_uri, self.journal)
        return MlflowTracker(prepare_store(self.mlflow), self.journal, artifact_root(self.mlflow))

    def registry(self) -> Registry:
        """The registry of adapters of this place's MLflow."""
        return Registry(self.tracking_uri or prepare_store(self.mlflow))


def workplace() -> Workplace:
    """The workplace that the environment names; its home is made if need be.

    Raises:
        PlaceError: The home cannot be written.
    """
    home = Path(os.environ.get("FOUNDRY_HOME") or DEFAULT_HOME).expanduser().absolute()
    _make_writable(home)
    models = Path(os.environ.get("FOUNDRY_MODELS") or home / "models").expanduser()
    return Workplace(home, models, os.environ.get("MLFLOW_TRACKING_URI", ""))


@cache
def _make_writable(home: Path) -> None:
    try:
        home.mkdir(parents=True, exist_ok=True)
        probe = home / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise PlaceError(
            f"{home} cannot be written: {error.strerror}. Name another folder in FOUNDRY_HOME."
        ) from error


@cache
def _store(root: Path) -> Store:
    return Store(root)


def prepare_environment(place: Workplace) -> None:
    """Tell libraries through the environment what they ask it for; to be called before they are imported.

    What somebody has set already stays.
    """
    for name, value in _library_environment(place).items():
        os.environ.setdefault(name, value)
    # On some CPUs bitsandbytes advises to install code from the hub, which is never run here.
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)


def go_online(place: Workplace) -> None:
    """Prepare a process whose purpose is to ask the hub; to be called before its library is imported."""
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        os.environ[name] = "0"
    prepare_environment(place)


def _library_environment(place: Workplace) -> dict[str, str]:
    return {
        **quiet_environment(),
        "DO_NOT_TRACK": "1",
        "HF_HUB_OFFLINE": "1",  # runs use what is there
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "BITSANDBYTES_NOWELCOME": "1",
        "MPLBACKEND": "agg",
        "PREFECT_HOME": str(place.prefect),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "PREFECT_RESULTS_DEFAULT_SERIALIZER": "json",
        "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",  # the page shows them, the terminal our lines
    }


def prefect_api_url() -> str:
    """Address of the Prefect server that the environment names; empty, the embedded one is meant."""
    return os.environ.get("PREFECT_API_URL", "")


def use_prefect_api(url: str) -> None:
    """Let Prefect use a server, or the embedded one when the address is empty; before Prefect is imported."""
    if url:
        os.environ["PREFECT_API_URL"] = url
    else:
        os.environ.pop("PREFECT_API_URL", None)


def library_environment() -> dict[str, str]:
    """The environment for processes that this one starts."""
    return dict(os.environ)


def git_commit() -> str:
    """Commit of the code that runs; empty where it does not lie in a git repository."""
    folder = Path(__file__).resolve().parents[1]
    if not (folder / ".git").exists():
        return ""
    try:
        said = subprocess.run(
            ["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:  # no git here
        return ""
    return said.stdout.strip()


def build_writer(recipe: Recipe) -> TextWriter:
    from blip_core.backends.sampling import Sampling
    from blip_core.backends.transformers_writer import TransformersWriter

    settings = recipe.scenes
    sampling = Sampling(settings.temperature, settings.top_p, settings.max_new_tokens)
    folder = locate_checkpoint(settings.model)
    _use_threads(recipe)
    return TransformersWriter(folder, sampling, _device(recipe), settings.model.dtype, settings.model.file)


def build_painter(recipe: Recipe) -> Painter:
    if recipe.source.kind == "world":
        from blip_core.pocket.composer import Composer

        return Composer(recipe.source.style)
    from blip_core.backends.diffusers_painter import DiffusersPainter

    settings = recipe.pictures
    folder = locate_checkpoint(settings.model)
    _use_threads(recipe)
    return DiffusersPainter(folder, settings, _device(recipe), settings.model.dtype)


def picture_settings(recipe: Recipe) -> Pictures:
    """How pictures are asked for: a composer reads the scene itself, without words around it."""
    if recipe.source.kind == "world":
        return recipe.pictures.model_copy(update={"prompt": "{scene}"})
    return recipe.pictures


def painter_identity(recipe: Recipe) -> str:
    if recipe.source.kind == "world":
        return f"world-{WORLD_VERSION}"
    return checkpoint_identity(recipe.pictures.model)


def build_labeller(recipe: Recipe) -> Labeller:
    from blip_core.backends.llava_labeller import LlavaLabeller
    from blip_core.backends.sampling import Sampling

    settings = recipe.labels
    sampling = Sampling(settings.temperature, settings.top_p, settings.max_new_tokens)
    folder = locate_checkpoint(settings.model)
    _use_threads(recipe)
    return LlavaLabeller(folder, sampling, _device(recipe), settings.model.dtype)


def load_base(recipe: Recipe) -> "Blip2Bundle":
    """The model that is tuned, quantised as the recipe says; an adapter that does not fit is refused first.

    Raises:
        CheckpointError: It is not here, or cannot be loaded.
        RecipeError: The adapter does not fit it.
    """
    from blip_core.modeling import load_blip2

    _use_threads(recipe)
    _check_adapter(recipe)
    base, settings = recipe.finetune.base, recipe.finetune
    return load_blip2(locate_checkpoint(base), settings.quantisation, _device(recipe), base.dtype)


def pinned(checkpoint: Checkpoint) -> Checkpoint:
    """A checkpoint at the commit that is locked here, if it is: what an adapter names as its base."""
    locked = _locked(checkpoint)
    if locked is None or not locked.commit:
        return checkpoint
    return checkpoint.model_copy(update={"revision": locked.commit})


def load_variant(recipe: Recipe, variant: Variant, adapter: Path | None) -> "Blip2Bundle":
    """A variant as it is judged, with its adapter if it has one."""
    from blip_core.modeling import load_adapter, load_blip2

    _use_threads(recipe)
    folder = locate_checkpoint(variant.model)
    bundle = load_blip2(folder, recipe.inference.quantisation, _device(recipe), variant.model.dtype)
    return load_adapter(bundle, adapter) if adapter else bundle


def vision_states(recipe: Recipe, bundle: "Blip2Bundle") -> "VisionStates":
    """Where tuning takes the vision tower's outputs from: the store, or the tower itself for every batch."""
    settings = recipe.finetune
    if settings.features == "fresh":
        from blip_core.modeling.fresh_features import FreshVisionStates

        return FreshVisionStates(bundle, settings.augmentation, recipe.seed)
    from blip_core.modeling.stored_features import StoredVisionStates

    return StoredVisionStates(bundle, workplace().store, checkpoint_identity(settings.base))


def tuning_job(recipe: Recipe, dataset: Path, out_dir: Path, checkpoints: Path) -> "Job":
    """What several processes are told that tune together; see `training.launching.finetune_together`.

    Raises:
        CheckpointError: The base is not here.
        RecipeError: The adapter does not fit it, or there are fewer GPUs than processes.
    """
    from blip_core.training.launching import Job

    _check_adapter(recipe)
    base, device = recipe.finetune.base, _device(recipe)
    _check_gpus(recipe, device)
    return Job(
        base=locate_checkpoint(base),
        identity=checkpoint_identity(base),
        dataset=dataset,
        store=workplace().store.root,
        settings=recipe.finetune.model_copy(update={"base": pinned(base)}),
        prompts=inference_settings(recipe),
        seed=recipe.seed,
        out_dir=out_dir,
        checkpoints=checkpoints,
        device=device,
        processes=recipe.device.processes,
        threads=recipe.device.threads,
    )


def _check_gpus(recipe: Recipe, device: str) -> None:
    import torch

    wanted, there = recipe.device.processes, torch.cuda.device_count()
    if device == "cuda" and there < wanted:
        raise RecipeError(
            f"device.processes is {wanted} and torch sees {there} GPU(s) here: each process needs one of its "
            "own; lower it, or set device.kind to cpu"
        )


def variant_states(recipe: Recipe, variant: Variant, bundle: "Blip2Bundle") -> "VisionStates | None":
    """Where a variant takes its vision tower's outputs from; None, it encodes what it answers itself.

    Variants of one checkpoint share them with each other and with tuning. They are not kept where an adapter
    sits on the tower, whose outputs are then the adapter's own, nor where the tower is so small that keeping
    may cost more than it spares, see `WORTH_KEEPING_PARAMETERS`.
    """
    from blip_core.modeling.adapter_targets import tunes_vision_tower
    from blip_core.modeling.stored_features import WORTH_KEEPING_PARAMETERS, StoredVisionStates
    from blip_core.modeling.vision_tower import tower_parameters

    if tunes_vision_tower(bundle.model) or tower_parameters(bundle) < WORTH_KEEPING_PARAMETERS:
        return None
    return StoredVisionStates(bundle, workplace().store, checkpoint_identity(variant.model))


def adapter_folder(variant: Variant, kept: Path | None) -> Path | None:
    """Folder of the adapter a variant carries: its own, the kept one that it names, or none."""
    if variant.adapter_kind == "folder":
        return Path(str(variant.adapter)).expanduser()
    return kept if variant.adapter else None


def adapter_identity(variant: Variant | ServerVariant, kept_digest: str) -> str:
    """What changes when the adapter does, by whatever name it goes."""
    if isinstance(variant, Variant) and variant.adapter_kind == "folder":
        return _folder_digest(Path(str(variant.adapter)).expanduser())
    return kept_digest if variant.adapter else ""


def variant_identity(variant: Variant | ServerVariant, server_facts: str = "") -> str:
    """What changes when the model of a variant does.

    Args:
        variant: whose model.
        server_facts: what its server told of it, see `server_facts`.
    """
    if isinstance(variant, Variant):
        return checkpoint_identity(variant.model)
    return f"{variant.url.rstrip('/')} {variant.served_model} {server_facts}".strip()


def server_facts(variant: ServerVariant) -> str:
    """What a server tells of the model of a variant; empty where it tells nothing.

    Raises:
        RecipeError: The environment lacks the server's key.
        StageFailure: The server cannot be reached.
    """
    with _chat_client(variant, NO_TOKENS) as client:
        return client.model_facts()


def connect_served(recipe: Recipe, variant: ServerVariant) -> "ServedModel":
    """A variant behind a server, which is first asked when it has to answer."""
    from blip_core.inference.served import ServedModel

    settings = recipe.inference
    connect = partial(_chat_client, variant, settings.max_new_tokens, settings.batch_size)
    return ServedModel(connect, f"{variant.served_model} at {variant.url}")


def _chat_client(variant: ServerVariant, max_new_tokens: int, requests_at_once: int = 1) -> "ChatClient":
    from blip_core.backends.openai_compatible import ChatClient

    return ChatClient(
        variant.url,
        variant.served_model,
        temperature=0.0,
        top_p=1.0,
        max_new_tokens=max_new_tokens,
        api_key=server_key(variant),
        requests_at_once=requests_at_once,
    )


def server_key(variant: ServerVariant) -> str:
    """The key of a server, from the environment; empty where none is needed.

    Raises:
        RecipeError: The variable is empty or not set.
    """
    if not variant.key_variable:
        return ""
    key = os.environ.get(variant.key_variable, "")
    if not key:
        raise RecipeError(
            f"variant {variant.name}: key_variable is {variant.key_variable}, but the environment has "
            f"nothing under that name; set it to the key of {variant.url}"
        )
    return key


def inference_settings(recipe: Recipe) -> Inference:
    """How variants answer: without a describing prompt where there is no describing stage."""
    if recipe.stages == 2:
        return recipe.inference
    return recipe.inference.model_copy(update={"describe_prompt": ""})


def evaluation_examples(recipe: Recipe, dataset: Path) -> list[Example]:
    """The rows that variants are judged on.

    Raises:
        TableError: A table cannot be read, or one of its rows cannot be used.
    """
    settings = recipe.evaluation
    if settings.kind == "split":
        from blip_core.dataset import read_split

        return list(read_split(dataset, "test"))
    if settings.kind == "table":
        from blip_core.sources import read_examples, table_files

        return read_examples(*table_files(settings))
    from blip_core.pocket.evalset import load_bundled

    table = load_bundled(settings.style)
    rows = table.to_pylist() if settings.limit is None else table.slice(0, settings.limit).to_pylist()
    return [_bundled_example(row) for row in rows]


def evaluation_identity(recipe: Recipe, dataset_digest: str) -> str:
    """What changes when the evaluation rows do: of a table also when one of its picture files does.

    Raises:
        TableError: A table cannot be read.
    """
    settings = recipe.evaluation
    if settings.kind == "split":
        return f"split-{dataset_digest}"
    if settings.kind == "table":
        from blip_core.sources import table_digest, table_files

        return table_digest(*table_files(settings))
    data = (files("blip_core.pocket") / "evalset" / f"{settings.style}.parquet").read_bytes()
    return f"{hashlib.sha256(data).hexdigest()}-{settings.limit}"


def locate_checkpoint(checkpoint: Checkpoint) -> Path:
    """Folder of a checkpoint on this machine.

    Raises:
        CheckpointError: It is not here, or not what the lock file says.
    """
    from blip_core.modeling.checkpoints import locate

    folder = locate(checkpoint, workplace().models, models_dir())
    _check_lock(checkpoint, folder)
    return folder


def _check_lock(checkpoint: Checkpoint, folder: Path) -> None:
    """Refuse a hub checkpoint that is not as it was prefetched; one that was never locked passes."""
    locked = _locked(checkpoint)
    if locked is None:
        return
    if not locked.is_at(checkpoint.revision or ""):
        raise CheckpointError(
            f"the recipe asks for {checkpoint.id} at revision {checkpoint.revision}, but {folder} holds "
            f"{locked.commit or 'a copy of unknown revision'}; run `foundry prefetch` with this recipe"
        )
    wrong = damage(folder, locked)
    if wrong:
        raise CheckpointError(
            f"{folder} is not what was prefetched: {wrong[0]}; mend it with `foundry prefetch`"
        )


def _locked(checkpoint: Checkpoint) -> LockedCheckpoint | None:
    if checkpoint.is_pocket or checkpoint.is_local:
        return None
    return read_lock(workplace().lock).get(checkpoint.id)


def checkpoint_identity(checkpoint: Checkpoint) -> str:
    """What changes when the weights do: the digest of the files, with name and commit where it is locked."""
    if checkpoint.is_pocket or checkpoint.is_local:
        folder = _folder_of(checkpoint)
        return _file_digest(folder / checkpoint.file) if checkpoint.file else _folder_digest(folder)
    locked = _locked(checkpoint)
    if locked is not None:
        return f"{checkpoint.id}@{locked.version}"
    revision = checkpoint.revision or "local"
    folder = workplace().models / checkpoint.id
    digest = f"-{_folder_digest(folder)}" if folder.is_dir() else ""
    return f"{checkpoint.id}@{revision}{digest}"


def check_ready(recipe: Recipe) -> None:
    """Make sure, before any work is begun, that a recipe can be run here.

    Raises:
        UserMistake: See `check_can_run` and `check_checkpoints`, or the adapter does not fit its base.
    """
    check_can_run(recipe)
    check_checkpoints(recipe)
    for variant in recipe.variants:
        if isinstance(variant, ServerVariant):
            server_key(variant)
    if not _surely_fits(recipe):
        prepare_environment(workplace())  # torch's family is imported now
        _check_adapter(recipe)


def _surely_fits(recipe: Recipe) -> bool:
    """Whether the adapter is a preset on a BLIP-2 that is known, which is told without loading torch."""
    if recipe.finetune.adapter.preset is None:
        return False
    try:
        config = json.loads((_folder_of(recipe.finetune.base) / "config.json").read_text(encoding="utf-8"))
        return bool(config["architectures"] == ["Blip2ForConditionalGeneration"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _check_adapter(recipe: Recipe) -> None:
    """Refuse an adapter that cannot sit on its base, from the base's config alone."""
    from blip_core.modeling import check_adapter_fits

    settings = recipe.finetune
    folder = locate_checkpoint(settings.base)
    check_adapter_fits(folder, settings.adapter, settings.features, settings.quantisation)


def check_can_run(recipe: Recipe) -> None:
    """Make sure that a recipe can be run, and that what it hands in can be read, before any work is begun.

    Raises:
        RecipeError: Its task is described but not run yet.
        TableError: A table or folder that it names is not there, lacks a column or holds too little of use.
    """
    if recipe.task != RUNNABLE_TASK:
        raise RecipeError(
            f"task is {recipe.task!r}: the pipeline cannot run it yet; allowed today: {RUNNABLE_TASK}"
        )
    _check_source(recipe.source)
    if recipe.evaluation.kind == "table":
        evaluation_examples(recipe, Path())
        _check_held_out(recipe.source, recipe.evaluation)


def _check_source(source: Source) -> None:
    if source.kind == "folder":
        from blip_core.sources import picture_names

        picture_names(Path(source.path).expanduser(), source.recursive)
    if source.kind == "table":
        from blip_core.sources import ANSWERED_FIELDS, PICTURE_FIELDS, table_files

        own = source.questions == "table"
        table_files(source, ANSWERED_FIELDS if own else PICTURE_FIELDS)


def _check_held_out(source: Source, evaluation: TableEvaluation) -> None:
    """Nothing is judged on that was learnt."""
    if source.kind != "table" or source.questions != "table":
        return
    from blip_core.sources import questions_asked, table_files

    both = questions_asked(*table_files(source)) & questions_asked(*table_files(evaluation))
    if both:
        raise TableError(
            f"{len(both)} questions about the same pictures stand in source.path ({source.path}) and in "
            f"evaluation.path ({evaluation.path}): what is learnt cannot judge. Take them out of one of the "
            "tables, or set evaluation.kind to split and dataset.test_share to the share that judges"
        )


def check_checkpoints(recipe: Recipe) -> None:
    """Make sure that every checkpoint of a recipe is on this machine, before any work is begun.

    Raises:
        CheckpointError: One is not; the message says where it was expected.
    """
    for _, checkpoint in used_checkpoints(recipe):
        _folder_of(checkpoint)


def _folder_of(checkpoint: Checkpoint) -> Path:
    if checkpoint.is_pocket:
        folder = models_dir() / checkpoint.id.removeprefix("pocket/")
    else:
        folder = workplace().models / checkpoint.id
    if checkpoint.is_local:
        folder = Path(checkpoint.id).expanduser()
    if not folder.is_dir():
        return locate_checkpoint(checkpoint)  # loads torch to say what is wrong
    _check_lock(checkpoint, folder)
    return folder


def _folder_digest(folder: Path) -> str:
    paths = sorted(path for path in folder.rglob("*") if path.suffix in _MODEL_FILES and path.is_file())
    parts = [f"{path.relative_to(folder)} {_file_digest(path)}" for path in paths]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _file_digest(path: Path) -> str:
    """Digest of a file, read once for as long as its size and time stay.

    Raises:
        PlaceError: It cannot be read.
    """
    try:
        stat = path.stat()
        return _digest_unchanged(path, stat.st_size, stat.st_mtime_ns)
    except OSError as error:
        raise PlaceError(
            f"{path} cannot be read: {error.strerror}. Give the path of a file that exists."
        ) from error


@cache
def _digest_unchanged(path: Path, size_bytes: int, modified_ns: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_DIGEST_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _bundled_example(row: dict[str, Any]) -> Example:
    options = dict(zip(LETTERS, (row["a"], row["b"], row["c"], row["d"]), strict=True))
    return Example(
        id=row["id"],
        picture_id=row["picture_id"],
        group=row["picture_id"],
        category=row["category"],
        task="mcq",
        image=row["image"]["bytes"],
        description="",
        question=row["question"],
        a=row["a"],
        b=row["b"],
        c=row["c"],
        d=row["d"],
        answer=row["answer"],
        target=options[row["answer"]],
        scene="",
        kind=row["kind"],
    )


def _device(recipe: Recipe) -> str:
    import torch

    kind = recipe.device.kind
    if kind == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if kind == "cuda" and not torch.cuda.is_available():
        raise RecipeError(
            "device.kind is cuda, but torch sees no GPU here; use --set device.kind=cpu or auto"
        )
    return kind


def _use_threads(recipe: Recipe) -> None:
    import torch

    if recipe.device.threads:
        torch.set_num_threads(recipe.device.threads)
