import pytest

from blip_core.backends.scripted import ScriptedLabeller, ScriptedPainter, ScriptedWriter
from blip_core.errors import StageFailure
from blip_core.ports import NoPicture


def test_a_writer_gives_its_texts_in_order_and_remembers_what_was_asked():
    writer = ScriptedWriter(["first", "second", "third"])
    assert writer.write(["a", "b"], [1, 2]) == ["first", "second"]
    assert writer.write(["c"], [3]) == ["third"]
    assert writer.calls == [("a", 1), ("b", 2), ("c", 3)]


@pytest.mark.parametrize(
    "ask",
    [
        lambda: ScriptedWriter(["only"]).write(["a", "b"], [1, 2]),
        lambda: ScriptedPainter([NoPicture.REFUSED]).paint(["a", "b"], [1, 2]),
        lambda: ScriptedLabeller(["only"]).label([None, None], ["a", "b"], [1, 2]),
    ],
)
def test_a_script_that_runs_out_fails_loudly(ask):
    with pytest.raises(StageFailure, match="ran out after 1 rows"):
        ask()
