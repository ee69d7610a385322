import pytest

from blip_core.records import Prediction


def _prediction(number, is_right=True, **changes):
    fields = {
        "id": f"q{number:05d}",
        "picture_id": f"p{number:05d}",
        "category": "food",
        "kind": "count",
        "variant": "flan-t5",
        "description": "",
        "p_a": 1.0,
        "p_b": 0.0,
        "p_c": 0.0,
        "p_d": 0.0,
        "ranked": "A",
        "generated": "A",
        "generated_letter": "A",
        "truth": "A" if is_right else "B",
    }
    return Prediction(**(fields | changes))


@pytest.fixture
def prediction():
    return _prediction


@pytest.fixture
def answered():
    """Predictions of a variant that is right where `right` says so, `per_picture` questions a picture."""

    def build(variant, right, per_picture=1):
        return [
            _prediction(
                number,
                variant=variant,
                picture_id=f"p{number // per_picture:05d}",
                truth="A",
                ranked="A" if is_right else "B",
            )
            for number, is_right in enumerate(right)
        ]

    return build
