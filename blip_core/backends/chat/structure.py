"""Answers that are asked for as JSON by a schema, and read back as the text that stages parse."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_FENCED = re.compile(r"\A```(?:json)?\s*(.*?)\s*```\Z", re.DOTALL | re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Structure:
    """A form of answers.

    Attributes:
        name: of the form, as the protocol asks for one.
        schema: of the object, as JSON schema.
        words: what is added to a prompt, so that a model knows what the schema will have of it.
        write: the object as text; a `ValueError`, `KeyError` or `TypeError` says that it is not of the form.
    """

    name: str
    schema: Mapping[str, Any]
    words: str
    write: Callable[[Mapping[str, Any]], str]

    def to_format(self) -> dict[str, Any]:
        """The request's `response_format`."""
        schema = {"name": self.name, "schema": dict(self.schema), "strict": True}
        return {"type": "json_schema", "json_schema": schema}

    def read(self, text: str) -> str | None:
        """The answer as text; None where it is no object of the form, fenced as Markdown or not."""
        fenced = _FENCED.match(text.strip())
        try:
            told = json.loads(fenced[1] if fenced else text)
            return self.write(told) if isinstance(told, Mapping) else None
        except (ValueError, KeyError, TypeError, RecursionError):
            return None


def object_of(fields: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The schema of an object that has all of these fields and no others."""
    return {
        "type": "object",
        "properties": {name: dict(schema) for name, schema in fields.items()},
        "required": list(fields),
        "additionalProperties": False,
    }
