"""`foundry datasets`, `adapters` and `trace` on a small store, and on what the stages themselves publish."""

import io
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from PIL import Image

from blip_core.dataset import read_split
from blip_core.dataset.tracing import REJECTIONS, ROW_FILES
from blip_core.recipes import load_recipe
from flows.cli.app import main
from tests.unit.grown_store import GrownStore


@pytest.fixture
def grown(home):
    grown = GrownStore(home / "store")
    grown.score("finetuned", grown.predict("finetuned", grown.examples), 0.75)
    return grown


@pytest.fixture
def foundry(monkeypatch, capfd):
    """Runs a command; gives its exit code, standard output and standard error."""

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["foundry", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capfd.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


def test_lists_are_json_for_programs(grown, foundry):
    for name, artifact in (("datasets", grown.dataset), ("adapters", grown.adapter)):
        code, out, _ = foundry(name, "--json")
        told = json.loads(out)
        assert code == 0
        assert [one["digest"] for one in told[name]] == [artifact.digest]


@pytest.mark.parametrize("name", ["datasets", "adapters"])
def test_an_empty_store_says_how_to_fill_it(home, foundry, name):
    code, out, _ = foundry(name)
    assert code == 0
    assert "foundry " in out
    assert json.loads(foundry(name, "--json")[1])[name] == []


def test_one_of_them_is_named_by_the_beginning_of_its_digest(grown, foundry):
    told = json.loads(foundry("datasets", grown.dataset.digest[:6], "--json")[1])
    assert told["key"] == grown.dataset.key
    assert told["lineage"]["made_from"][0]["kind"] == "labels"
    assert told["lineage"]["became"][0]["digest"] == grown.adapter.digest
    assert f"adapter {grown.adapter.digest[:12]}" in foundry("adapters", grown.adapter.digest[:6])[1]


def test_trace_tells_the_same_to_people_and_programs(grown, foundry):
    row_id = grown.examples[0].id
    told = json.loads(foundry("trace", row_id, "--json")[1])
    assert told["steps"][0]["stage"] == "prediction"
    text = foundry("trace", row_id)[1]
    assert all(step["id"] in text for step in told["steps"])


def test_trace_writes_the_picture_once(grown, foundry, tmp_path):
    path = tmp_path / "dog.png"
    row = grown.examples[0]
    assert foundry("trace", row.id, "--picture", str(path))[0] == 0
    assert path.read_bytes() == row.image
    code, _, err = foundry("trace", "shifted-q00012", "--picture", str(path))
    assert code == 2
    assert str(path) in err
    assert path.read_bytes() == row.image


def test_a_bundled_picture_is_written_as_png(home, foundry, tmp_path):
    assert foundry("trace", "shifted-q00012", "--picture", str(tmp_path / "x.png"))[0] == 0
    assert Image.open(io.BytesIO((tmp_path / "x.png").read_bytes())).format == "PNG"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["trace", "nature-00001-p0-q"], "nature-00001"),
        (["trace", "shifted-q0001"], "shifted-q0001"),
        (["datasets", "zzzz"], "zzzz"),
        (["adapters", "zzzz"], "zzzz"),
        (["trace", "x", "--dataset", "zzzz"], "zzzz"),
    ],
)
def test_what_is_not_there_gets_one_line(grown, foundry, arguments, named):
    code, out, err = foundry(*arguments)
    assert code == 2
    assert out == ""
    assert named in err
    assert len(err.strip().splitlines()) == 1


def test_starting_and_listing_loads_no_heavy_library(grown):
    heavy = {"torch", "transformers", "prefect", "mlflow", "datasets", "matplotlib", "pandas"}
    probe = (
        f"import sys; sys.argv = ['foundry', 'trace', {grown.examples[0].id!r}]\n"
        "from flows.cli.app import main\n"
        "try: main()\n"
        f"except SystemExit: print('loaded:', *sorted(sys.modules.keys() & {heavy!r}))"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().splitlines()[-1] == "loaded:"


@pytest.mark.parametrize(
    ("kind", "stage"),
    [
        ("scenes", "write_scenes"),
        ("pictures", "paint_pictures"),
        ("labels", "label_pictures"),
        ("predictions", "predict_variant"),
        ("answers", "answer_table"),
    ],
)
def test_rows_are_looked_for_where_the_stages_put_them(kind, stage):
    assert ROW_FILES[kind] == import_module(f"tasks.{stage}").FILE
    assert import_module("tasks.rows").REJECTIONS == REJECTIONS


@pytest.mark.usefixtures("prefect_server", "use_doubles")
@pytest.mark.filterwarnings("default")
def test_every_step_of_a_row_that_the_stages_made_is_known(home, doubles, foundry):
    from flows.phases import grow_dataset

    recipe = load_recipe("gallery-vqa", "pocket", doubles)
    grow_dataset(recipe)
    (listed,) = json.loads(foundry("datasets", "--json")[1])["datasets"]
    assert listed["recipe"] == recipe.name
    (row,) = [step for step in _first_trace(foundry, listed) if step["stage"] == "scene"]
    assert row["text"] in row["prompt"] or "numbered list" in row["prompt"]


def _first_trace(foundry, listed):
    row = read_split(Path(listed["path"]), "train")[0]
    told = json.loads(foundry("trace", row.id, "--json")[1])
    assert [step["stage"] for step in told["steps"]] == ["example", "label", "picture", "scene", "recipe"]
    assert not any("unknown" in step for step in told["steps"])
    return told["steps"]
