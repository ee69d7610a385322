"""The bundled evaluation sets: pictures of held-out scenes with questions whose answers are known.

`shifted` is what the ladder of variants is judged on, `generic` shows how a base does without the
shift. Every scene holds an object-place pair that no training scene of any member shows.
"""

import io
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from blip_core.pocket.language import LETTERS, Kind, PocketQuestion, ask
from blip_core.pocket.world import PocketScene, Split, Style, category_of, draw_scene, render

JPEG_QUALITY = 90
_ROWS_A_GROUP = 100

_IMAGE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
SCHEMA = pa.schema(
    [("id", pa.string()), ("picture_id", pa.string()), ("image", _IMAGE)]
    + [(name, pa.string()) for name in ("question", "a", "b", "c", "d", "answer")]
    + [(name, pa.string()) for name in ("kind", "category", "place", "time")]
)


@dataclass(frozen=True, slots=True)
class EvaluationSet:
    """What an evaluation set holds.

    Attributes:
        name: file name without its ending.
        style: how its pictures are taken.
        pictures: number of pictures.
        questions: questions about each picture, of different kinds.
        seed: root of every draw.
    """

    name: str
    style: Style
    pictures: int
    questions: int
    seed: int


BUNDLED = {
    "shifted": EvaluationSet("shifted", Style.SHIFTED, pictures=520, questions=4, seed=20_261),
    "generic": EvaluationSet("generic", Style.GENERIC, pictures=300, questions=2, seed=20_262),
}


def load_bundled(name: str) -> pa.Table:
    """Read a bundled evaluation set: `shifted` (2,080 rows) or `generic` (600 rows)."""
    if name not in BUNDLED:
        raise KeyError(f"no bundled evaluation set {name!r}; there are {', '.join(BUNDLED)}")
    data = (files("blip_core.pocket") / "evalset" / f"{name}.parquet").read_bytes()
    with pq.ParquetFile(io.BytesIO(data)) as file:  # `read_table` loads pyarrow's datasets, and they pandas
        return file.read()


def write_bundled(folder: Path) -> list[Path]:
    """Build every bundled set and write it as Parquet into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for chosen in BUNDLED.values():
        path = folder / f"{chosen.name}.parquet"
        pq.write_table(
            build(chosen), path, compression="zstd", row_group_size=_ROWS_A_GROUP, write_page_checksum=True
        )
        paths.append(path)
    return paths


def build(chosen: EvaluationSet) -> pa.Table:
    """Compose a set from its seed; each letter is right equally often, and no scene comes twice."""
    rng = np.random.default_rng(chosen.seed)
    total = chosen.pictures * chosen.questions
    letters = rng.permutation(np.arange(total) % len(LETTERS))
    rows: list[dict[str, object]] = []
    seen: set[PocketScene] = set()
    while len(rows) < total:
        scene = draw_scene(rng, chosen.style, Split.TEST)
        if scene in seen:
            continue
        seen.add(scene)
        picture_id = f"{chosen.name}-{len(seen) - 1:04d}"
        image: dict[str, object] = {
            "bytes": _jpeg(render(scene, chosen.style, rng).pixels),
            "path": f"{picture_id}.jpg",
        }
        for question in _questions(scene, chosen.questions, rng):
            placed = place_answer(question, int(letters[len(rows)]))
            rows.append(_row(len(rows), chosen.name, picture_id, image, scene, placed))
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def place_answer(question: PocketQuestion, position: int) -> PocketQuestion:
    """The same question with its right option at `position`, the others in their order."""
    others = [option for index, option in enumerate(question.options) if index != question.answer]
    others.insert(position, question.options[question.answer])
    first, second, third, fourth = others
    return PocketQuestion(question.kind, question.text, (first, second, third, fourth), position)


def _questions(scene: PocketScene, count: int, rng: np.random.Generator) -> list[PocketQuestion]:
    """Questions of different kinds; a kind comes back, about something else, only where kinds run out."""
    asked: dict[str, PocketQuestion] = {}
    while len(asked) < count:
        for kind in rng.permutation(list(Kind)):
            question = ask(scene, Kind(kind), rng)
            if question is not None:
                asked.setdefault(question.text, question)
    return list(asked.values())[:count]


def _row(
    index: int,
    name: str,
    picture_id: str,
    image: dict[str, object],
    scene: PocketScene,
    question: PocketQuestion,
) -> dict[str, object]:
    options = dict(zip("abcd", question.options, strict=True))
    return {
        "id": f"{name}-q{index:05d}",
        "picture_id": picture_id,
        "image": image,
        "question": question.text,
        **options,
        "answer": question.letter,
        "kind": question.kind.value,
        "category": category_of(scene.groups[0].name),
        "place": scene.place,
        "time": scene.time,
    }


def _jpeg(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return buffer.getvalue()
