"""Tiny sets in the files that published ones come in, made of the bundled pictures."""

import json
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from blip_core.recipes import load_recipe
from blip_core.records import Example
from blip_core.wiring import evaluation_examples


def write_json(path: Path, content: Any) -> Path:
    """Write JSON, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def write_picture(path: Path, picture: bytes) -> Path:
    """Write an encoded picture, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture)
    return path


def write_vqa(root: Path, rows: Sequence[Example], prefix: str = "v2_", split: str = "val2014") -> Path:
    """VQA v2; without a prefix, OK-VQA. Of ten people seven give the right answer."""
    questions, annotations = [], []
    numbers: dict[str, int] = {}
    for place, row in enumerate(rows, start=1):
        number = numbers.setdefault(row.picture_id, 100 + place)
        asked = {"image_id": number, "question_id": 1000 + place}
        write_picture(root / split / f"COCO_{split}_{number:012d}.jpg", row.image)
        answers = [row.target] * 7 + ["something else"] * 3
        questions.append({**asked, "question": row.question})
        annotations.append(
            {
                **asked,
                "question_type": "what",
                "answer_type": row.kind or "other",
                "multiple_choice_answer": row.target,
                "answers": [
                    {"answer": text, "raw_answer": text, "answer_confidence": "yes", "answer_id": number}
                    for number, text in enumerate(answers, start=1)
                ],
            }
        )
    about = {"info": {}, "license": {}, "data_type": "mscoco", "data_subtype": split}
    write_json(
        root / f"{prefix}OpenEnded_mscoco_{split}_questions.json",
        {**about, "task_type": "Open-Ended", "questions": questions},
    )
    write_json(root / f"{prefix}mscoco_{split}_annotations.json", {**about, "annotations": annotations})
    return root


def write_gqa(root: Path, rows: Sequence[Example], split: str = "testdev_balanced") -> Path:
    """GQA: an object of questions by their id."""
    questions = {}
    for place, row in enumerate(rows):
        write_picture(root / "images" / f"n{place}.jpg", row.image)
        questions[f"2{place:08d}"] = {
            "question": row.question,
            "answer": row.target,
            "fullAnswer": f"It is {row.target}.",
            "imageId": f"n{place}",
            "isBalanced": True,
            "types": {"structural": "query", "semantic": "rel", "detailed": "relS"},
            "groups": {"global": None, "local": "x"},
            "entailed": [],
            "equivalent": [],
            "semantic": [],
            "semanticStr": "",
        }
    write_json(root / f"{split}_questions.json", questions)
    return root


def asked_rows(count: int) -> list[Example]:
    """Bundled questions with one right answer each."""
    freely = ("task=vqa", "stages=1", "inference.answer_prompt=Question: {question} Answer:")
    without = ("inference.ablations=[]", "inference.circular=false", "finetune.describe_share=0")
    recipe = load_recipe("gallery-vqa", overrides=[*freely, *without])
    return list(islice(evaluation_examples(recipe), count))
