"""Stage 4, last part, where rows are annotated: those that pass the gates become a dataset."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from blip_core import curation
from blip_core.dataset.writing import require_enough
from blip_core.recipes import Recipe
from blip_core.records import Example, Rejection
from blip_core.store import ArtifactRef, read_rows
from blip_core.wiring import gate_identities, workplace
from tasks.collect_rows import FILE
from tasks.curated import cut_by, write_curated
from tasks.gate_models import models_of_gates
from tasks.rows import REJECTIONS
from tasks.stage import metadata_of, path_of, stage, watcher


def key(recipe: Recipe, rows: ArtifactRef, pictures: ArtifactRef | None = None) -> str:
    inputs = {
        "version": curation.VERSION,
        "recipe": recipe.digest("curation", "dataset", "task", "name"),
        "least": recipe.finetune.batch_size,
        "rows": rows.digest,
        **gate_identities(recipe),
        **cut_by(recipe),
    }
    return workplace().store.key("dataset", inputs)


@stage("dataset", key)
def curate_rows(recipe: Recipe, rows: ArtifactRef, pictures: ArtifactRef | None = None) -> ArtifactRef:
    """Send annotated rows through the gates, split what is kept and write it as a dataset.

    Args:
        recipe: of the phase.
        rows: after the last annotation step.
        pictures: that they are about, for whoever walks back from a row; none, a table's own.
    """

    def build(folder: Path) -> dict[str, Any]:
        examples = read_rows(path_of(rows) / FILE, Example)
        earlier = read_rows(path_of(rows) / REJECTIONS, Rejection)
        steps = metadata_of(rows).get("steps", [])
        curated = curation.curate(examples, recipe.curation, models_of_gates(recipe))
        watcher().progress(1, 2)
        gates = [asdict(gate) for gate in curated.gates]
        require_enough(curated.kept, recipe.finetune.batch_size, recipe.label, steps, gates)
        told = {f"step {one['step']}": f"kept {one['kept']} of {one['seen']} rows" for one in steps}
        provenance = {**metadata_of(rows).get("provenance", {}), "rows": rows.digest, **told}
        made_from = {"rows": rows.key} | ({"pictures": pictures.key} if pictures else {})
        written = write_curated(folder, recipe, curated, earlier, provenance, made_from)
        watcher().progress(2, 2)
        return {**written, "steps": steps}

    return workplace().store.publish(key(recipe, rows, pictures), "dataset", build).ref()
