"""Parts of installed packages: found when named, and told by name and package when they fail."""

import sys
from textwrap import dedent

import pytest

from blip_core.backends.plugged import plugged_labeller, plugged_painter, plugged_writer
from blip_core.curation import curate, gates_on
from blip_core.errors import FoundryError, RecipeError, StageFailure, TableError
from blip_core.kinds import kind_of
from blip_core.plugins import GROUPS, load_plugin
from blip_core.recipes import load_recipe
from blip_core.scoring.measures import measure_named
from blip_core.sources import plugin_digest, read_plugin
from blip_core.wiring import gate_identities
from blip_core.wiring.readiness import check_parts
from tests.packages import install
from tests.unit.examples import example

ORIGIN = "odd 2.5"
HEAD = """
from PIL import Image
from blip_core.curation import Gate, part, refuse
from blip_core.kinds import Kind
from blip_core.ports import Backend
from blip_core.recipes import Section
from blip_core.scoring.measures import Measure
from blip_core.sources import Found, PictureSource
class Set(Section):
    least: int = 3
class Model:
    def close(self): pass
"""
GATE = "GATE = Gate('shady', 'words', Set, {})"


@pytest.fixture
def package(monkeypatch, tmp_path):
    """Installs a package whose only file says this, and which brings these parts."""

    def bring(code, name="odd", version="2.5", module="odd_parts", **parts):
        entries = {group: {name: f"{module}:{value}"} for group, (name, value) in parts.items()}
        install(tmp_path / "site", name, {f"{module}.py": HEAD + dedent(code)}, entries, version)
        monkeypatch.syspath_prepend(tmp_path / "site")

    yield bring
    for module in [name for name in sys.modules if name.startswith("odd_")]:
        del sys.modules[module]
    from blip_core.kinds.plugged import plugged_kind

    plugged_kind.cache_clear()


def recipe(*overrides):
    return load_recipe("gallery-vqa", "pocket", overrides)


def taking(section):
    return recipe(f"{section}.plugin.name=shady")


def sourced():
    return recipe('source={kind="plugin", name="shady"}').source


def shady():
    return recipe("curation.plugins.shady.least=4")


@pytest.mark.parametrize("group", GROUPS)
def test_what_nobody_brings_is_told_with_what_is_installed(package, group):
    package("THING = 1", **{group: ("thing", "THING")})
    with pytest.raises(
        RecipeError, match=rf"named 'thong'; installed: .*thing \(odd 2.5\).*blip_foundry.{group}"
    ):
        load_plugin(group, "thong")


def test_a_package_is_imported_when_a_recipe_names_its_part_and_not_before(package):
    package(GATE.format("None"), gates=("shady", "GATE"))
    check_parts(recipe())
    assert "odd_parts" not in sys.modules
    assert [gate.name for gate, _ in gates_on(shady().curation) if gate.origin] == ["shady"]
    assert "odd_parts" in sys.modules


@pytest.mark.parametrize(
    "code",
    [
        "1 / 0",
        "import nothing_of_that_name",
        "raise SystemExit(3)",
        "from blip_core.errors import StageFailure\nraise StageFailure('no')",
        "GATES = ()",
        "def broken(:",
    ],
)
def test_a_file_that_cannot_be_imported_is_told_before_any_work(package, code):
    package(code, gates=("shady", "GATE"))
    with pytest.raises(RecipeError, match=r"the gate shady of odd 2\.5 cannot be loaded from odd_parts:GATE"):
        shady()


@pytest.mark.parametrize(
    ("group", "name"),
    [
        ("gates", "lengths"),
        ("gates", "plugins"),
        ("gates", "second_judge"),
        ("kinds", "mcq"),
        ("measures", "cider"),
    ],
)
def test_a_name_of_ours_is_refused(package, group, name):
    package("THING = 1", **{group: (name, "THING")})
    with pytest.raises(
        RecipeError, match=rf"the {group[:-1]} {name} of odd 2\.5 has the name of one that ships"
    ):
        check_parts(recipe())


def test_a_name_that_two_packages_have_is_refused(package):
    for name in ("odd", "even"):
        package(GATE.format("None"), name=name, module=f"odd_{name}", gates=("shady", "GATE"))
    with pytest.raises(RecipeError, match=r"shady is brought by even 2\.5 and by odd 2\.5"):
        shady()


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("least=many", "'many'"),
        ("most=3", "no such field"),
        ("least=1.5", "whole number"),
    ],
)
def test_settings_that_the_part_does_not_know_are_refused(package, override, told):
    package(
        GATE.format("None") + "\nBACKEND = Backend(Set, None)",
        gates=("shady", "GATE"),
        labellers=("shady", "BACKEND"),
    )
    for place in (
        (f"curation.plugins.shady.{override}",),
        ("labels.plugin.name=shady", f"labels.plugin.settings.{override}"),
    ):
        with pytest.raises(RecipeError, match=rf"of odd 2\.5 takes other settings: .*{told}"):
            recipe(*place)


def test_settings_are_completed_and_enter_key_and_file(package, tmp_path):
    package(GATE.format("None"), gates=("shady", "GATE"))
    one, other = recipe("curation.plugins.shady={}"), shady()
    assert one.curation.plugins == {"shady": {"least": 3}}
    assert one.digest("curation") != other.digest("curation") != recipe().digest("curation")
    path = tmp_path / "resolved.toml"
    path.write_text(other.to_toml())
    assert load_recipe(str(path)) == other


def test_another_version_of_the_package_is_another_key(package, tmp_path):
    package(GATE.format("None"), gates=("shady", "GATE"))
    before = gate_identities(shady())
    (tmp_path / "site/odd-2.5.dist-info/METADATA").write_text(
        "Metadata-Version: 2.1\nName: odd\nVersion: 2.6\n"
    )
    assert before == {"gate_packages": {"shady": ORIGIN}}
    assert gate_identities(shady()) == {"gate_packages": {"shady": "odd 2.6"}}


@pytest.mark.parametrize("value", ["None", "Set", "lambda rows: rows", "Gate('other', '', Set, None)"])
def test_a_gate_that_is_none_or_has_another_name_is_refused_before_any_work(package, value):
    package(f"GATE = {value}", gates=("shady", "GATE"))
    with pytest.raises(
        RecipeError, match=r"the gate shady of odd 2\.5 (is a|calls itself|declares no settings)"
    ):
        check_parts(shady())


@pytest.mark.parametrize(
    "judge",
    [
        "lambda rows, settings: (rows[1:], [])",
        "lambda rows, settings: (rows, [refuse(rows[0], 'no', '')])",
        "lambda rows, settings: (rows[::-1], [])",
        "lambda rows, settings: (rows, [], {}, 4)",
        "lambda rows, settings: None",
        "lambda rows, settings: (None, [])",
        "lambda rows, settings: ([], ['no', 'no'])",
        "lambda rows, settings: rows",
        "lambda rows: (rows, [])",
        "lambda rows, settings: 1 / 0",
    ],
)
def test_a_gate_that_fails_or_gives_back_other_rows_is_named(package, judge):
    package(GATE.format(judge), gates=("shady", "GATE"))
    off = [f"curation.{gate.name}.enabled=false" for gate, _ in gates_on(recipe().curation)]
    curation = recipe("curation.plugins.shady={}", *off).curation
    with pytest.raises(StageFailure, match=r"the gate shady of odd 2\.5 "):
        curate([example(0), example(1)], curation)


MODELS = {
    "scenes": ("writers", "write", plugged_writer, lambda model: model.write(["a", "b"], [1, 2])),
    "pictures": ("painters", "paint", plugged_painter, lambda model: model.paint(["a", "b"], [1, 2])),
    "labels": (
        "labellers",
        "label",
        plugged_labeller,
        lambda model: model.label([None] * 2, ["a", "b"], [1, 2]),
    ),
}


@pytest.mark.parametrize("section", MODELS)
@pytest.mark.parametrize("given", ["['x']", "['x', 'y', 'z']", "[1, 2]", "None", "1 / 0", "[]"])
def test_a_model_that_fails_or_gives_another_number_of_answers_is_named(package, section, given):
    group, work, build, ask = MODELS[section]
    package(
        f"class Odd(Model):\n    def {work}(self, *columns):\n        return {given}\n"
        "BACKEND = Backend(Set, lambda settings, device: Odd())",
        **{group: ("shady", "BACKEND")},
    )
    model = build(getattr(taking(section), section).plugin, "cpu")
    with pytest.raises(StageFailure, match=rf"the {group[:-1]} shady of odd 2\.5 "):
        ask(model)


@pytest.mark.parametrize("section", MODELS)
@pytest.mark.parametrize("build", ["Model()", "1 / 0", "None"])
def test_a_model_that_cannot_do_its_work_is_named_when_it_is_built(package, section, build):
    group, _, build_one, _ = MODELS[section]
    package(f"BACKEND = Backend(Set, lambda settings, device: {build})", **{group: ("shady", "BACKEND")})
    with pytest.raises(StageFailure, match=rf"the {group[:-1]} shady of odd 2\.5 "):
        build_one(getattr(taking(section), section).plugin, "cpu")


@pytest.mark.parametrize("section", MODELS)
def test_a_model_of_another_type_is_refused_before_any_work(package, section):
    package("class Thing:\n    settings = Set", **{MODELS[section][0]: ("shady", "Thing")})
    with pytest.raises(RecipeError, match=r"shady of odd 2\.5 is a type; it must be a"):
        check_parts(taking(section))


@pytest.mark.parametrize(
    "pictures",
    [
        "[('a', b'x'), ('a', b'y')]",
        "[('', b'x')]",
        "[('a\\n', b'x')]",
        "[('a', 'text')]",
        "[('a', b'x', None)]",
        "[('a',)]",
        "7",
        "1 / 0",
    ],
)
def test_a_source_whose_pictures_are_in_no_order_is_named(package, pictures):
    package(
        f"SOURCE = PictureSource(Set, lambda settings: 'd', lambda settings: {pictures})",
        sources=("shady", "SOURCE"),
    )
    with pytest.raises(StageFailure, match=r"the source shady of odd 2\.5 "):
        read_plugin(sourced())


@pytest.mark.parametrize("found", ["[]", "[('a', b'no picture')]"])
def test_a_source_without_a_picture_is_refused(package, found):
    package(
        f"SOURCE = PictureSource(Set, lambda settings: 'd', lambda settings: {found})",
        sources=("shady", "SOURCE"),
    )
    with pytest.raises(TableError, match=r"the source shady of odd 2\.5 brought no picture"):
        read_plugin(sourced())


@pytest.mark.parametrize("digest", ["''", "None", "3", "1 / 0", "b'd'"])
def test_a_source_that_cannot_say_what_it_reads_is_named_before_any_work(package, digest):
    package(f"SOURCE = PictureSource(Set, lambda settings: {digest}, None)", sources=("shady", "SOURCE"))
    with pytest.raises(StageFailure, match=r"the source shady of odd 2\.5 "):
        plugin_digest(sourced())


@pytest.mark.parametrize("values", ["[]", "[float('nan')]", "['1']", "[1.0, 2.0]", "None", "1 / 0"])
def test_a_measure_without_one_number_an_answer_is_named(package, values):
    package(f"MEASURE = Measure('shady', 'words', lambda answers: {values})", measures=("shady", "MEASURE"))
    measure = measure_named("shady")
    assert measure.version == f"{ORIGIN}, 1"
    with pytest.raises(StageFailure, match=r"the measure shady of odd 2\.5 "):
        measure.values([None])


@pytest.mark.parametrize("value", ["None", "Kind", "Measure('other', '', None)"])
def test_measures_and_kinds_of_another_type_or_name_are_refused(package, value):
    package(f"THING = {value}", measures=("shady", "THING"), kinds=("shady", "THING"))
    for look in (measure_named, kind_of):
        with pytest.raises(RecipeError, match=r"shady of odd 2\.5 (is a|calls itself)"):
            look("shady")


@pytest.mark.parametrize("look", [measure_named, kind_of])
def test_an_unknown_name_is_told_with_those_that_are_installed(package, look):
    package("THING = 1", measures=("shady", "THING"), kinds=("shady", "THING"))
    with pytest.raises(FoundryError, match="shady"):
        look("shadi")
