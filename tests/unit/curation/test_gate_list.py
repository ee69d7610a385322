"""The list of gates, and what the loop over it owes to any gate."""

from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module

import pytest

from blip_core.curation import Gate, curate, gates_on, part, refuse, shipped_gates
from blip_core.errors import StageFailure
from blip_core.recipes import Curation, Section
from tests.unit.examples import example

SECTIONS = [name for name in Curation.model_fields if name not in ("plugins", "alarm")]
ROWS = [example(number, image=b"") for number in range(4)]


class Plain(Section):
    enabled: bool = True


def through(monkeypatch, gate: Gate, rows=ROWS, models=None):
    room = import_module("blip_core.curation.curate")  # the package has a function of that name
    monkeypatch.setattr(room, "gates_on", lambda curation: [(gate, Plain())])
    return curate(rows, Curation(), models)


def kept_all(rows, settings):
    return list(rows), []


def test_each_section_has_a_gate_of_its_name_and_settings():
    gates = {gate.name: gate.settings for gate in shipped_gates()}

    assert gates == {name: Curation.model_fields[name].annotation for name in SECTIONS}


def test_only_gates_that_are_on_are_run_in_the_order_of_their_sections():
    on = [gate.name for gate, _ in gates_on(Curation())]
    fewer = Curation.model_validate({"blank_pictures": {"enabled": False}})

    assert on == [name for name in SECTIONS if getattr(Curation(), name).enabled]
    assert [gate.name for gate, _ in gates_on(fewer)] == [name for name in on if name != "blank_pictures"]


def test_rows_of_other_kinds_pass_a_gate_by_and_keep_their_places(monkeypatch):
    rows = [replace(row, task=task) for row, task in zip(ROWS, ("vqa", "mcq", "caption", "mcq"), strict=True)]
    nothing = Gate("nothing", "", Plain, lambda rows, _: part(rows, lambda row: refuse(row, "no", "")))

    curated = through(monkeypatch, replace(nothing, kinds=frozenset({"mcq"})), rows)

    assert curated.kept == [rows[0], rows[2]]
    assert (curated.gates[0].seen, curated.gates[0].refused) == (2, 2)


@pytest.mark.parametrize(
    "judge",
    [
        lambda rows, _: (rows[1:], []),
        lambda rows, _: ([], [refuse(row, "no", "") for row in rows[1:]]),
        lambda rows, _: (list(rows), [refuse(rows[0], "no", "")]),
        lambda rows, _: ([], [refuse(row, "no", "") for row in (*rows, rows[0])]),
        lambda rows, _: (list(rows), [refuse(example(9), "no", "")]),
        lambda rows, _: ([*rows, example(9)], []),
        lambda rows, _: ([*rows, rows[0]], []),
        lambda rows, _: (rows[::-1], []),
        lambda rows, _: ([replace(row, question="Another?") for row in rows], []),
    ],
    ids=[
        "loses one",
        "refuses all but one",
        "keeps and refuses one",
        "refuses one twice",
        "refuses a stranger",
        "adds one",
        "doubles one",
        "turns them round",
        "changes them",
    ],
)
def test_a_gate_that_gives_back_other_rows_is_named(monkeypatch, judge):
    with pytest.raises(StageFailure, match="the gate odd "):
        through(monkeypatch, Gate("odd", "", Plain, judge))


@pytest.mark.parametrize(
    "given",
    [
        None,
        "both",
        [ROWS, []],
        (ROWS,),
        (ROWS, [], {}, []),
        (ROWS, "none"),
        (tuple(ROWS), []),
        (ROWS, ["too short"]),
    ],
    ids=["nothing", "text", "list", "one part", "four parts", "no list", "no list of rows", "words"],
)
def test_a_gate_that_gives_no_rows_and_rejections_is_named(monkeypatch, given):
    with pytest.raises(StageFailure, match=r"the gate odd .*gave something else than a list"):
        through(monkeypatch, Gate("odd", "", Plain, lambda rows, _: given))


def test_a_gate_gets_the_model_of_its_port_which_is_closed_behind_it(monkeypatch):
    seen = []

    @contextmanager
    def models(gate, settings):
        seen.append(("open", gate.port))
        yield "the model"
        seen.append("closed")

    def judge(rows, settings, model):
        seen.append(model)
        return list(rows), []

    through(monkeypatch, Gate("asks", "", Plain, judge, port="labeller"), models=models)

    assert seen == [("open", "labeller"), "the model", "closed"]


def test_a_gate_that_asks_is_refused_where_there_is_nobody_to_ask(monkeypatch):
    with pytest.raises(StageFailure, match="asks a labeller"):
        through(monkeypatch, Gate("asks", "", Plain, kept_all, port="labeller"))
