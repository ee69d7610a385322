"""The stages of a run: what each holds at its peak, and what it computes for the rows that are asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blip_core import strict_json
from blip_core.backends.sampling import Sampling
from blip_core.modeling.stored_features import TOWER_BATCH
from blip_core.planning.answering import answer
from blip_core.planning.architectures import Architecture, Kind, architecture_of, is_image_text
from blip_core.planning.coarse import NOT_TRACEABLE, bound, picture_tokens_bound
from blip_core.planning.counting import Counts
from blip_core.planning.footprint import Footprint
from blip_core.planning.generating import Texts, label, picture_tokens, write
from blip_core.planning.lengths import label_texts, questions, scene_texts, training_rows
from blip_core.planning.live_bytes import Where, Work
from blip_core.planning.painting import paint
from blip_core.planning.tuning import encode, tune
from blip_core.prefetching import used_checkpoints
from blip_core.recipes import Recipe, Variant, loaded_here

CUBLAS_WORKSPACE_BYTES = 32 * 2**20  # what torch gives cuBLAS on Hopper, a quarter of it on older cards
VARIANTS = "variants."
SHARED_OUT = ("scenes", "pictures", "labels", "predict")  # their shards go to workers; others run on one GPU
_NOT_FORETOLD = ("annotations.", "curation.", "judging.", "inference.reader")
"""Fields of models whose memory and time are not foretold: small ones beside those that answer."""
_KINDS: Mapping[str, Kind] = {
    "scenes.model": "language",
    "pictures.model": "diffusion",
    "labels.model": "image-text",
}


PICTURE_PX = 1024  # side of a picture from outside, whose size nobody looked at; an assumption


@dataclass(frozen=True)
class Stage:
    """One stage, or one variant's part of it.

    Attributes:
        name: `scenes`, ..., `finetune`, `predict NAME`.
        model: checkpoint that it loads.
        batch: what it works at once, in words.
        footprint: of one batch.
        rows: that it works; of tuning, in all epochs.
        work: of all rows.
        processes: that share it.
    """

    name: str
    model: str
    batch: str
    footprint: Footprint
    rows: float
    work: Work
    processes: int = 1

    @property
    def group(self) -> str:
        """Its name without the variant's."""
        return self.name.partition(" ")[0]


@dataclass
class StageSizes:
    """Measures the stages of recipes that differ in settings; what was measured once is not measured again.

    Attributes:
        architectures: of the checkpoints, by the field that names them.
        counts: rows of every stage.
        where: what models run on.
    """

    architectures: Mapping[str, Architecture]
    counts: Counts
    where: Where
    _known: dict[str, list[Stage]] = field(default_factory=dict)

    def stages(self, recipe: Recipe) -> list[Stage]:
        """All stages of a recipe that run a model, in order."""
        return [stage for group in self.groups(recipe) for stage in self.of(group, recipe)]

    def groups(self, recipe: Recipe) -> list[str]:
        """Names of the stages that run a model."""
        fields = {"scenes": "scenes.model", "pictures": "pictures.model", "labels": "labels.model"}
        made = [group for group, name in fields.items() if name in self.architectures]
        if not recipe.tuned_phases():
            return ["predict"]
        encoded = ["encode"] if recipe.finetune.features == "cached" else []
        return [*made, *encoded, "finetune", "predict"]

    def of(self, group: str, recipe: Recipe) -> list[Stage]:
        """One stage; of predicting, every variant."""
        key = f"{group} {_settings(group, recipe)}"
        if key not in self._known:
            makers: Mapping[str, Callable[[Recipe], list[Stage]]] = {
                "scenes": self._scenes,
                "pictures": self._pictures,
                "labels": self._labels,
                "encode": self._encode,
                "finetune": self._finetune,
                "predict": self._predict,
            }
            self._known[key] = makers[group](recipe)
        return self._known[key]

    def largest(self, group: str, recipe: Recipe) -> Footprint:
        """Footprint of a stage; of predicting, of the largest variant."""
        return max((stage.footprint for stage in self.of(group, recipe)), key=lambda one: one.total)

    def _scenes(self, recipe: Recipe) -> list[Stage]:
        settings, model = recipe.scenes, loaded_here(recipe.scenes.model)
        config = self.architectures["scenes.model"].config
        sampling = Sampling(settings.temperature, settings.top_p, settings.max_new_tokens)
        footprint = _written(config, model.dtype, scene_texts(recipe), sampling, self.where)
        lists = self.counts.scenes / settings.per_call
        batches = lists / settings.batch_size
        return [
            self._stage(
                "scenes",
                model.id,
                f"{settings.batch_size} lists",
                footprint,
                self.counts.scenes,
                batches,
            )
        ]

    def _pictures(self, recipe: Recipe) -> list[Stage]:
        settings = recipe.pictures
        footprint = paint(self.architectures["pictures.model"].config, settings, self.where)
        rows, size = self.counts.pictures, settings.batch_size
        return [self._stage("pictures", settings.model.id, f"{size} pictures", footprint, rows, rows / size)]

    def _labels(self, recipe: Recipe) -> list[Stage]:
        settings, model = recipe.labels, loaded_here(recipe.labels.model)
        config = self.architectures["labels.model"].config
        sampling = Sampling(settings.temperature, settings.top_p, settings.max_new_tokens)
        footprint = _labelled(config, model.dtype, recipe, sampling, self.where)
        rows, size = self.counts.labels, settings.batch_size
        return [self._stage("labels", model.id, f"{size} pictures", footprint, rows, rows / size)]

    def _encode(self, recipe: Recipe) -> list[Stage]:
        settings = recipe.finetune
        config = self.architectures["finetune.base"].config
        footprint = encode(config, settings, TOWER_BATCH, self.where)
        rows = self.counts.pictures
        words = f"{TOWER_BATCH} pictures"
        return [self._stage("encode", settings.base.id, words, footprint, rows, rows / TOWER_BATCH)]

    def _finetune(self, recipe: Recipe) -> list[Stage]:
        settings = recipe.finetune
        batch = training_rows(recipe)
        footprint = tune(self.architectures["finetune.base"].config, settings, batch, self.where)
        rows = settings.epochs * self.counts.train
        looks = rows / settings.batch_size / settings.eval_every_steps + 1
        passes = rows / batch.rows
        work = footprint.work * passes + footprint.forward * (looks * self.counts.validation / batch.rows)
        words = f"{batch.rows} rows, {batch.text_tokens} + {batch.target_tokens} tokens"
        return [
            Stage(
                "finetune",
                settings.base.id,
                words,
                self._with_workspace(footprint),
                rows,
                work,
                recipe.device.processes,
            )
        ]

    def _predict(self, recipe: Recipe) -> list[Stage]:
        asked = questions(recipe, recipe.inference, self.counts)
        quantisation = recipe.inference.quantisation
        seen: dict[tuple[str, str], Footprint] = {}
        stages = []
        for variant in recipe.variants:
            if not isinstance(variant, Variant):
                continue  # a server takes another machine's memory, and joining answers takes none
            model = (variant.model.id, variant.model.dtype)
            if model not in seen:
                config = self.architectures[f"{VARIANTS}{variant.name}.model"].config
                seen[model] = answer(config, quantisation, variant.model.dtype, asked, self.where)
            name, words = f"predict {variant.name}", f"{asked.rows} questions"
            rows = self.counts.judged
            stages.append(self._stage(name, variant.model.id, words, seen[model], rows, rows / asked.rows))
        return stages

    def _stage(
        self, name: str, model: str, batch: str, footprint: Footprint, rows: float, batches: float
    ) -> Stage:
        whole = footprint.work * batches
        return Stage(name, model, batch, self._with_workspace(footprint), rows, whole)

    def _with_workspace(self, footprint: Footprint) -> Footprint:
        return footprint.keeping(CUBLAS_WORKSPACE_BYTES) if self.where == "cuda" else footprint


def _written(config: Any, dtype: str, texts: Texts, sampling: Sampling, where: Where) -> Footprint:
    """Traced where the model's own code can be, else bounded."""
    if is_image_text(config):
        return bound(config, dtype, texts)
    try:
        return write(config, dtype, texts, sampling, where)
    except NOT_TRACEABLE:
        return bound(config, dtype, texts)


def _labelled(config: Any, dtype: str, recipe: Recipe, sampling: Sampling, where: Where) -> Footprint:
    """Traced for LLaVA 1.5, whose pictures all take as many tokens, else bounded."""
    if config.model_type == "llava":
        try:
            return label(config, dtype, label_texts(recipe, picture_tokens(config)), sampling, where)
        except NOT_TRACEABLE:  # another language model or tower than the published ones have
            pass
    made = recipe.source.is_made_here
    side = max(recipe.pictures.width_px, recipe.pictures.height_px) if made else PICTURE_PX
    texts = label_texts(recipe, picture_tokens_bound(config, side))
    return bound(config, dtype, texts, side)


def _settings(group: str, recipe: Recipe) -> str:
    """What a stage's footprint depends on, as text."""
    sections = {
        "scenes": {"scenes"},
        "pictures": {"pictures"},
        "labels": {"labels"},
        "encode": {"finetune"},
        "finetune": {"finetune", "device"},
        "predict": {"inference", "variants", "stages"},
    }
    return strict_json.dumps(recipe.model_dump(mode="json", include=sections[group]), sort_keys=True)


def known_architectures(recipe: Recipe, models_dir: Path, pocket_dir: Path) -> dict[str, Architecture]:
    """How every checkpoint of a recipe is built, by the field that names it.

    Raises:
        CheckpointError: Nothing is known of one, or it is of another kind than its stage needs.
    """
    return {
        field: architecture_of(checkpoint, _KINDS.get(field, "blip-2"), field, models_dir, pocket_dir)
        for field, checkpoint in used_checkpoints(recipe)
        if not any(named in field for named in _NOT_FORETOLD)
    }
