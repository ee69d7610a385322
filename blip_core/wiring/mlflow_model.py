"""A registered adapter as MLflow loads it: a table with pictures in Base64 goes in, answers come out.

MLflow imports this module by the name in a model's file `MLmodel` and calls `_load_pyfunc`.
"""

import threading
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blip_core import strict_json
from blip_core.errors import FoundryError, RequestRefused, TableError
from blip_core.recipes import Recipe, Variant
from blip_core.records import OPTION_LETTERS
from blip_core.tracking.pyfunc import HOW, refused
from blip_core.wiring.serving import request_asking
from blip_core.wiring.variants import load_variant

if TYPE_CHECKING:
    from pandas import DataFrame

    from blip_core.inference.loaded import LoadedModel
    from blip_core.inference.requests import Request, Response
    from blip_core.serving.questions import Asking

_OPTIONS = tuple(letter.lower() for letter in OPTION_LETTERS)


class TableModel:
    """Answers tables; one at a time, whichever thread asks.

    Args:
        model: with its adapter.
        asking: how rows are asked.
    """

    def __init__(self, model: "LoadedModel", asking: "Asking") -> None:
        self._model = model
        self._asking = asking
        self._lock = threading.Lock()

    def predict(self, table: "DataFrame", params: Mapping[str, Any] | None = None) -> "DataFrame":
        """Answer each row.

        Args:
            table: `image` in Base64 or as a data address; `question` and `context` where there is one;
                options `a` to `j`, where a letter is to be chosen.
            params: none are known.

        Returns:
            `answer` (a letter, or a text where there are no options), `option` (the text of the letter),
            `probability` of the letter among those offered, and `description`, all in the table's order.

        Raises:
            Exception: MLflow's own, of a bad request, in one sentence that names the row.
        """
        from pandas import DataFrame

        del params
        try:
            rows = [self._row(place, row) for place, row in enumerate(table.to_dict("records"))]
            with self._lock:
                responses = self._answer(rows)
        except FoundryError as error:
            raise refused(str(error)) from error
        told = [_told(request, response) for (_, request), response in zip(rows, responses, strict=True)]
        return DataFrame(told, columns=["answer", "option", "probability", "description"])

    def _row(self, place: int, row: Mapping[Any, Any]) -> tuple[str, "Request"]:
        from blip_core.serving.reading import read_picture

        options = [_text(row, name) for name in _OPTIONS]
        written = [option for option in options if option]
        try:
            if options[: len(written)] != written:
                raise RequestRefused("an option is missing between others")
            picture = read_picture(_address(_text(row, "image")))
            return self._asking.of_fields(picture, _text(row, "question"), written, _text(row, "context"))
        except FoundryError as error:
            raise TableError(f"row {place + 1}: {error}") from error

    def _answer(self, rows: list[tuple[str, "Request"]]) -> list["Response"]:
        from blip_core.serving.worker import answer_rows

        return answer_rows(self._model, rows, self._asking.settings)


def _load_pyfunc(path: str) -> TableModel:
    """The model of a folder: what MLflow calls."""
    from blip_core.inference.loaded import LoadedModel
    from blip_core.inference.unpacking import unpack_if_roomy

    folder = Path(path)
    how = strict_json.loads((folder / HOW).read_text(encoding="utf-8"))
    recipe = Recipe.model_validate(tomllib.loads(how["recipe"]))
    recipe = next((recipe.in_phase(one) for one in recipe.phases if one.name == how["phase"]), recipe)
    variant = Variant(name="registered", role="base", model=recipe.finetune.base, adapter=str(folder))
    bundle, unpacking = unpack_if_roomy(load_variant(recipe, variant, folder), recipe.inference)
    bundle.model.eval()
    return TableModel(LoadedModel(bundle, None, unpacking.reason), request_asking(recipe, variant))


def _address(image: str) -> str:
    return image if image.startswith("data:") else f"data:image/png;base64,{image}"


def _text(row: Mapping[Any, Any], name: str) -> str:
    """A cell's text; empty where a table has none there."""
    value = row.get(name)
    return value.strip() if isinstance(value, str) else ""


def _told(request: "Request", response: "Response") -> dict[str, Any]:
    if not response.chances:
        return {
            "answer": response.text,
            "option": "",
            "probability": None,
            "description": response.description,
        }
    place = OPTION_LETTERS.index(response.text)
    return {
        "answer": response.text,
        "option": request.example.options[place],
        "probability": response.chances[place],
        "description": response.description,
    }
