"""A few scenes in the store, as their stage would have left them."""

from pathlib import Path
from typing import Any

from blip_core.records import SCENE_SCHEMA, Scene
from blip_core.store import ArtifactRef, write_rows
from blip_core.wiring import workplace
from tasks.write_scenes import FILE


def scenes_of(count: int) -> ArtifactRef:
    """So many scenes of the category pets."""
    texts = [f"A dog and {line} balls on the beach." for line in range(count)]
    scenes = [Scene(f"pets-{line:05d}", "pets", text, 0, line) for line, text in enumerate(texts)]

    def build(folder: Path) -> dict[str, Any]:
        return {"rows": write_rows(folder / FILE, scenes, SCENE_SCHEMA)}

    store = workplace().store
    return store.publish(store.key("scenes", {"count": count}), "scenes", build).ref()
