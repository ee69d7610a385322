"""Pictures: every scene is painted once, under a seed of its own."""

import hashlib
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from blip_core.errors import StageFailure
from blip_core.ports import NoPicture, Painter, Progress, no_progress, row_seed
from blip_core.recipes.pictures import Pictures
from blip_core.records import Picture, Rejection, Scene, sum_up

STAGE = "pictures"
ENOUGH_TO_JUDGE = 20  # scenes; below, a painter whose pictures are refused may merely have had bad luck
MIN_PAINTED_SHARE = 0.25


def picture_prompt(scene: Scene, settings: Pictures) -> str:
    """Write the prompt that a scene is painted from."""
    return settings.prompt.format(scene=scene.text)


def paint_pictures(
    painter: Painter,
    scenes: Sequence[Scene],
    settings: Pictures,
    seed: int,
    on_progress: Progress = no_progress,
) -> tuple[list[Picture], list[Rejection]]:
    """Paint scenes in batches of `settings.batch_size`, in the order given.

    Returns:
        Pictures, and rejections of those that the painter's safety check refused (`refused-by-painter`),
        whose pixels are no numbers (`no-numbers`) or that show one single colour (`blank`); each rejection
        bears the id that the picture would have had.

    Raises:
        StageFailure: when most pictures are refused.
    """
    pictures: list[Picture] = []
    rejections: list[Rejection] = []
    for start in range(0, len(scenes), settings.batch_size):
        batch = scenes[start : start + settings.batch_size]
        seeds = [row_seed(seed, STAGE, scene.id) for scene in batch]
        images = painter.paint([picture_prompt(scene, settings) for scene in batch], seeds)
        for scene, image, image_seed in zip(batch, images, seeds, strict=True):
            if isinstance(image, NoPicture):
                rejections.append(_rejection(scene, image.value))
            elif _is_blank(image):
                rejections.append(_rejection(scene, "blank"))
            else:
                pictures.append(_picture(scene, image, image_seed))
        _check_painter(pictures, rejections)
        on_progress(start + len(batch), len(scenes))
    return pictures, rejections


def encode_png(image: Image.Image) -> bytes:
    """Encode pixels as an RGB PNG without metadata: equal pixels give equal bytes."""
    plain = Image.frombytes("RGB", image.size, image.convert("RGB").tobytes())
    buffer = io.BytesIO()
    plain.save(buffer, format="PNG")
    return buffer.getvalue()


def _check_painter(pictures: Sequence[Picture], rejections: Sequence[Rejection]) -> None:
    """Stop when most pictures are refused: the others would cost hours and be refused, too."""
    seen = len(pictures) + len(rejections)
    if seen < ENOUGH_TO_JUDGE or len(pictures) >= MIN_PAINTED_SHARE * seen:
        return
    raise StageFailure(
        f"The painter gave a usable picture for {len(pictures)} of the first {seen} scenes: "
        f"{sum_up(rejections)}. A painter whose pictures are blank or no numbers often needs "
        'pictures.model.dtype = "float32"; one that refuses needs other scenes (scenes.categories) '
        "or another pictures.model."
    )


def _picture_id(scene: Scene) -> str:
    return f"{scene.id}-p0"


def _rejection(scene: Scene, reason: str) -> Rejection:
    return Rejection(_picture_id(scene), STAGE, reason, scene.text)


def _is_blank(image: Image.Image) -> bool:
    pixels = np.asarray(image.convert("RGB"))
    return bool((pixels == pixels[0, 0]).all())


def _picture(scene: Scene, image: Image.Image, seed: int) -> Picture:
    png = encode_png(image)
    return Picture(
        id=_picture_id(scene),
        scene_id=scene.id,
        category=scene.category,
        scene=scene.text,
        seed=seed,
        png=png,
        sha256=hashlib.sha256(png).hexdigest(),
        width_px=image.width,
        height_px=image.height,
    )
