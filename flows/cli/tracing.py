"""Finds the way of a row in the store, or among the bundled questions."""

import io
from pathlib import Path

from PIL import Image

from blip_core.dataset.tracing import Trace, answers_to, asked_in, near_ids, trace_row
from blip_core.errors import PlaceError, UnknownArtifact
from blip_core.painting import encode_png
from blip_core.pocket.tracing import composed_ids, composed_steps
from blip_core.store import Artifact
from blip_core.store.lineage import Lineage
from blip_core.wiring import workplace
from tasks.chosen import SHOWN_CHARS, chosen


def find_trace(row_id: str, dataset: str = "") -> Trace:
    """The way of a row, in the dataset whose digest begins so or, where none is named, wherever it is.

    Raises:
        UnknownArtifact: There is no such row, or no such dataset.
    """
    digest = chosen("dataset", dataset).digest if dataset else ""
    lineage = Lineage(workplace().store.artifacts())
    named = next((one for one in lineage.of_kind("dataset") if one.digest == digest), None)
    composed = composed_steps(row_id)
    if composed:
        return Trace(row_id, [*answers_to(lineage, row_id, named, asked_in(composed)), *composed], named)
    found = trace_row(lineage, row_id, named)
    if found is None:
        raise UnknownArtifact(_nowhere(lineage, row_id, named))
    return found


def write_picture(trace: Trace, path: Path) -> None:
    """Write the picture of a row as PNG.

    Raises:
        UnknownArtifact: It has none.
        PlaceError: The file is there already, or cannot be written.
    """
    if not trace.picture:
        raise UnknownArtifact(f"{trace.id} has no picture in the store, so {path} was not written")
    image = Image.open(io.BytesIO(trace.picture))
    data = trace.picture if image.format == "PNG" else encode_png(image)
    try:
        with path.open("xb") as file:
            file.write(data)
    except OSError as error:
        raise PlaceError(f"{path} cannot be written: {error.strerror}; name a new file") from error


def _nowhere(lineage: Lineage, row_id: str, dataset: Artifact | None) -> str:
    if dataset is not None and trace_row(lineage, row_id):
        short = dataset.digest[:SHOWN_CHARS]
        return f"the dataset {short} has no row {row_id!r}, but the store has; leave --dataset out to see it"
    near = near_ids(lineage, row_id, composed_ids())
    alike = f"; there is {', '.join(near)}" if near else ""
    return (
        f"no row of the store is called {row_id!r}{alike}. Ids stand in the column id of the Parquet files "
        "of datasets and predictions; foundry datasets says where they are"
    )
