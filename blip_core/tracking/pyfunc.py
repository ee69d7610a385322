"""An adapter as a model that MLflow loads and serves: beside its files those that say how, and no code.

The flavour is `python_function` with a module that loads it, which is MLflow's form without pickles. That
module stands in `wiring`, above this room: it is named here and imported by MLflow.
"""

from importlib.metadata import version
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING, Any

from blip_core import strict_json

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

LOADER = "blip_core.wiring.mlflow_model"
HOW = "served.json"
"""What the loader reads: the resolved recipe, as TOML, and the phase whose adapter it is."""
MODEL_FILES = frozenset({"MLmodel", "requirements.txt", "input_example.json", HOW})
"""Files that MLflow loads a model by, and that no adapter has."""

_OPTIONS = tuple("abcdefghij")
_EXAMPLE = (  # a red square
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAFUlEQVR42mM8ISfHgA0wMeAAg1MCANDKARQfGKMRAAAAAElFTkSuQmCC"
)


def write_model_files(folder: Path, how: dict[str, str], model_id: str) -> None:
    """Write what makes the files of an adapter a model that MLflow loads.

    Args:
        folder: that they are written to; they belong beside the adapter's own.
        how: see `HOW`.
        model_id: MLflow's of the logged model.
    """
    from mlflow.models import Model

    (folder / HOW).write_text(strict_json.dumps(how, ensure_ascii=False), encoding="utf-8")
    package = "blip-foundry"
    (folder / "requirements.txt").write_text(f"{package}=={version(package)}\n", encoding="utf-8")
    row = {"image": _EXAMPLE, "question": "Which colour is it?", "a": "red", "b": "blue"}
    example = {"columns": list(row), "data": [list(row.values())]}
    (folder / "input_example.json").write_text(strict_json.dumps(example), encoding="utf-8")
    model = Model(
        signature=_signature(),
        model_id=model_id,
        saved_input_example_info={
            "artifact_path": "input_example.json",
            "type": "dataframe",
            "pandas_orient": "split",
        },
    )
    model.add_flavor("python_function", loader_module=LOADER, python_version=python_version())
    model.save(str(folder / "MLmodel"))


def _signature() -> "ModelSignature":
    """A picture in Base64 and what is asked of it, one row a question; the answer with what led to it."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    def text(name: str, required: bool = True) -> ColSpec:
        return ColSpec(DataType.string, name, required)

    asked: list[ColSpec | TensorSpec] = [
        text("image"),
        *(text(name, False) for name in ("question", "context", *_OPTIONS)),
    ]
    told: list[ColSpec | TensorSpec] = [
        text("answer"),
        text("option"),
        ColSpec(DataType.double, "probability"),
        text("description"),
    ]
    return ModelSignature(Schema(asked), Schema(told))


def refused(message: str) -> Exception:
    """The error that MLflow's server tells as a bad request, in these words alone."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import BAD_REQUEST

    error: Any = MlflowException(message, error_code=BAD_REQUEST)
    return error  # type: ignore[no-any-return]
