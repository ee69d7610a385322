"""Gate: questions about one picture that ask the same in other words, by their embeddings.

What words do not have in common `same_questions` cannot see: "How many cakes are there?", "Count the cakes".
Rows are taken oldest first, and a row's fate depends on older rows alone.
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blip_core.curation.gate import Gate, Kept, part, refuse
from blip_core.curation.row_texts import shown
from blip_core.errors import StageFailure
from blip_core.ports import Embedder
from blip_core.recipes.reworded_questions import RewordedQuestions
from blip_core.records import Example, Rejection
from blip_core.texts import exact, loose


def refuse_reworded(rows: Sequence[Example], settings: RewordedQuestions, embedder: Embedder) -> Kept:
    """Refuse rows that ask what an older row of the same picture asks, with the same answer.

    Reason: `reworded-question`.

    Raises:
        StageFailure: The model does not embed each question, or cannot tell any two apart.
    """
    vectors = _embedded([row.question for row in rows], embedder)
    earlier: dict[tuple[str, str, str], list[Example]] = defaultdict(list)

    def judge(row: Example) -> Rejection | None:
        others = earlier[row.picture_id, exact(row.context), loose(row.target)]
        for one in others:
            cosine = float(vectors[one.question] @ vectors[row.question])
            if cosine >= settings.min_cosine:
                detail = (
                    f"{shown(row.question)} asks what {one.id} asks: {shown(one.question)} ({cosine:.2f})"
                )
                return refuse(row, "reworded-question", detail)
        others.append(row)
        return None

    return part(rows, judge)


def _embedded(texts: Sequence[str], embedder: Embedder) -> dict[str, NDArray[np.float64]]:
    """Vectors of length 1 by text, each text once."""
    asked = list(dict.fromkeys(texts))
    vectors = np.asarray(embedder.embed(asked), dtype=np.float64)
    if len(vectors) != len(asked) or not np.isfinite(vectors).all():
        raise StageFailure(
            f"the model of reworded_questions gave {len(vectors)} vectors for {len(asked)} questions, "
            "or some that are no numbers"
        )
    if len(asked) > 1 and np.allclose(vectors, vectors[0]):
        raise StageFailure(
            f"the model of reworded_questions says the same of all {len(asked)} questions: it cannot tell "
            "them apart; name another (curation.reworded_questions.model)"
        )
    return dict(zip(asked, vectors, strict=True))


GATE = Gate(
    "reworded_questions",
    "questions about one picture that ask the same in other words, by embeddings",
    RewordedQuestions,
    refuse_reworded,
    kinds=frozenset({"mcq", "vqa"}),
    port="embedder",
)
