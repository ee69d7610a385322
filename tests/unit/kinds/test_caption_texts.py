"""What captions teach together."""

import pytest

from blip_core.kinds import KINDS
from tests.unit.examples import example


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["a shoe", "A  shoe", "a shoe"], "all 3 captions to train on say 'a shoe'"),
        (["a shoe", "a boot"], ""),
        (["a shoe"], ""),
        ([], ""),
    ],
)
def test_captions_that_all_say_the_same_teach_nothing(texts, said):
    rows = [example(n, task="caption", target=text, image=b"") for n, text in enumerate(texts)]
    why = KINDS["caption"].nothing_to_learn(rows)
    assert why.startswith(said)
    assert bool(why) == bool(said)
