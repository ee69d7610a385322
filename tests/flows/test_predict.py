"""Somebody's table: answered by any variant, written in its order, scored where the answers are known."""

import csv
import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from blip_core.errors import PlaceError, RecipeError, TableError, UnknownArtifact
from flows.cli.app import main
from flows.tables import column_mapping
from tests.campaigns.table.signs import write_table
from tests.contract.conftest import serving_chat
from tests.flows.conftest import stand_in_doubles
from tests.flows.pages import artifacts_of, log_of, sending_logs
from tests.hostile.files import animated

ROWS = 12
MAPPED = ["id=sign_no", "image=photo_file"]
BROKEN = {3: ("query", ""), 7: ("photo_file", "../outside.png")}


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """A table with odd column names, two rows that cannot be used and an id that a spreadsheet would run."""
    path = write_table(tmp_path_factory.mktemp("signs"), ROWS, seed=5)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for place, (column, value) in BROKEN.items():
        rows[place][column] = value
    rows[0]["sign_no"] = "=1+1"
    return rewrite(path, rows)


def rewrite(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def foundry(monkeypatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["foundry", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_columns_are_mapped_by_name():
    assert column_mapping(["image=Photo file", " A =Option=1", "answer="]) == {
        "image": "Photo file",
        "a": "Option=1",
        "answer": "",
    }


@pytest.mark.parametrize("texts", [["image"], ["=x"], ["a=x", "A=y"]])
def test_a_mapping_that_says_nothing_or_two_things_is_refused(texts):
    with pytest.raises(TableError, match="--column"):
        column_mapping(texts)


def test_a_dry_run_tells_columns_and_usable_rows_and_writes_nothing(table, tmp_path, monkeypatch, capsys):
    mapped = [part for text in MAPPED for part in ("--column", text)]
    monkeypatch.chdir(tmp_path)
    code = foundry(
        monkeypatch,
        "predict",
        str(table),
        "--images",
        str(table.parent / "photos"),
        *mapped,
        "--dry-run",
        "--json",
    )
    told = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (told["rows"], told["usable"], sum(told["refused"].values())) == (ROWS, ROWS - 2, 2)
    assert told["columns"]["image"] == "photo_file"
    assert told["columns"]["answer"] == "correct"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "foundry finetune gallery-vqa"),
        (("--column", "image=photo_flie"), "photo_flie"),
        (("--column", "image"), "image=photo_file"),
        (("--out", "{table}"), "is a file"),
        (("--column", "image=photo_file", "--variant", "finetund"), "finetund"),
        (("--column", "image=photo_file", "--variant", "0000abcd"), "0000abcd"),
    ],
)
def test_a_mistake_costs_one_line_and_no_server(arguments, named, table, home, monkeypatch, capsys):
    given = [text.format(table=table) for text in arguments]
    assert foundry(monkeypatch, "predict", str(table), *given) == 2
    said = capsys.readouterr()
    assert named in said.err
    assert said.out == ""
    assert len(said.err.strip().splitlines()) == 1


@pytest.fixture
def counted(table, tmp_path) -> Path:
    """The table with numbers in place of answers, from which nobody can tell where they start, and a hint."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for place, row in enumerate(rows):
        row |= {"correct": str(1 + place % 2), "hint": "A sign." if place else "", "shape": "round"}
    return rewrite(tmp_path / "counted.csv", rows)


def dry(monkeypatch, capsys, table: Path, photos: Path, *arguments: str) -> tuple[int, str, str]:
    mapped = [part for text in MAPPED for part in ("--column", text)]
    given = ["predict", str(table), "--images", str(photos), *mapped, "--dry-run", *arguments]
    code = foundry(monkeypatch, *given)
    said = capsys.readouterr()
    return code, said.out, said.err


def test_answers_that_can_be_read_in_two_ways_are_refused_until_one_is_told(
    table, counted, monkeypatch, capsys
):
    photos = table.parent / "photos"
    code, out, err = dry(monkeypatch, capsys, counted, photos)
    assert (code, out) == (2, "")
    assert "--answers from-zero or --answers from-one" in err
    assert len(err.strip().splitlines()) == 1

    code, out, _ = dry(monkeypatch, capsys, counted, photos, "--answers", "from-one", "--json")
    told = json.loads(out)
    assert told["answers"] == {"read_as": "from-one", "told": True, "known": ROWS, "hidden": {}}
    assert "shape" in told["unused_columns"]
    (warning,) = told["warnings"]
    assert "'hint'" in warning
    assert "inference.answer_prompt" in warning


def test_people_see_how_answers_are_read_and_what_is_not_used(table, counted, monkeypatch, capsys):
    photos = table.parent / "photos"
    code, out, _ = dry(monkeypatch, capsys, counted, photos, "--answers", "from-zero", "--column", "context=")
    assert code == 0
    assert "read as places of options, counted from 0, as told" in out
    assert "'hint', 'shape'" in out
    assert "beware" not in out


def answer(signs: Path, out: Path, doubles: list[str], variant: str = "flan-t5", **changes):
    """Answer the signs, or the table among the changes with the pictures of the signs."""
    from flows.predict import predict

    given = {"columns": MAPPED, "overrides": doubles, "images": str(signs.parent / "photos"), **changes}
    return predict(str(given.pop("table", signs)), str(out), variant=variant, **given)


@pytest.fixture(scope="module")
def shared_home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def answered(shared_home, doubles, table, prefect_server, tmp_path_factory):
    """Summary of the table's first run."""
    with pytest.MonkeyPatch.context() as patch, sending_logs():
        patch.setenv("FOUNDRY_HOME", str(shared_home))
        return answer(table, tmp_path_factory.mktemp("answered") / "out", doubles)


@pytest.fixture(scope="module")
def tuned(shared_home, doubles, prefect_server):
    """The adapter that the recipe tunes."""
    from flows.finetune import finetune

    with pytest.MonkeyPatch.context() as patch:
        stand_in_doubles(patch)
        patch.setenv("FOUNDRY_HOME", str(shared_home))
        return finetune(overrides=doubles)["adapter"]


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server", "use_doubles")
@pytest.mark.filterwarnings("default")
class TestFlow:
    @pytest.fixture
    def predict(self, shared_home, doubles, table, monkeypatch):
        """Answer the table in the module's home."""
        monkeypatch.setenv("FOUNDRY_HOME", str(shared_home))

        def run(out: Path, variant: str = "flan-t5", **changes):
            return answer(table, out, **{"doubles": doubles, "variant": variant, **changes})

        return run

    def test_a_table_is_answered_in_its_order_and_scored(self, answered, table):
        out = Path(answered["out"])
        asked = [row["sign_no"] for row in read_rows(table)]
        submitted = read_rows(out / "submission.csv")
        assert [row["id"] for row in submitted] == ["'=1+1", *asked[1:]]
        assert [place for place, row in enumerate(submitted) if not row["answer"]] == list(BROKEN)
        problems = read_rows(out / "problems.csv")
        assert [(row["row"], row["reason"]) for row in problems] == [
            ("4", "empty-text"),
            ("8", "unreadable-picture"),
        ]
        predictions = pq.read_table(out / "predictions.parquet").to_pylist()
        assert [row["id"] for row in predictions] == [
            name for place, name in enumerate(asked) if place not in BROKEN
        ]
        assert predictions[0]["question"]
        scores = json.loads((out / "scores.json").read_text())
        right = sum(row["ranked"] == row["truth"] for row in predictions)
        assert scores["accuracy"]["value"] == right / (ROWS - 2)
        assert scores == answered["scores"]
        assert (answered["rows"], answered["answered"], answered["escaped_ids"]) == (ROWS, ROWS - 2, 1)
        page = (out / "report.html").read_text()
        assert "answered by flan-t5" in page
        assert f"All {ROWS - 2} rows." in page
        assert predictions[0]["question"] in page

    def test_how_answers_were_read_is_kept_beside_the_scores_and_is_part_of_what_was_asked(
        self, predict, table, counted, tmp_path
    ):
        first = predict(tmp_path / "one", table=str(counted), answers="from-one")
        other = predict(tmp_path / "zero", table=str(counted), answers="from-zero")
        read = json.loads((tmp_path / "one" / "scores.json").read_text())["answers"]
        assert read == first["answers"] == {"read_as": "from-one", "told": True, "known": ROWS, "hidden": {}}
        assert not other["stages"]["predict flan-t5"]["cached"]
        rows = [
            pq.read_table(tmp_path / name / "predictions.parquet").to_pylist() for name in ("one", "zero")
        ]
        assert {row["truth"] for row in rows[0]} == {"A", "B"}
        assert {row["truth"] for row in rows[1]} == {"B", "C"}
        assert rows[0][1]["context"] == "A sign."

    def test_answers_that_are_kept_back_are_said_to_be_and_not_scored(self, predict, table, tmp_path):
        with table.open(encoding="utf-8", newline="") as file:
            rows = [row | {"correct": "-1"} for row in csv.DictReader(file)]
        summary = predict(tmp_path / "out", table=str(rewrite(tmp_path / "hidden.csv", rows)))
        assert summary["scores"] is None
        assert summary["answers"]["hidden"] == {"-1": ROWS}
        assert summary["answered"] == ROWS - 2

    def test_the_same_table_is_answered_once(self, answered, predict, tmp_path):
        second = predict(tmp_path / "b")
        assert not answered["stages"]["predict flan-t5"]["cached"]
        assert second["stages"]["predict flan-t5"]["cached"]
        assert second["scores"] == answered["scores"]
        for name in ("submission.csv", "predictions.parquet", "problems.csv", "scores.json"):
            assert (Path(answered["out"]) / name).read_bytes() == (tmp_path / "b" / name).read_bytes()

    def test_the_first_frame_of_an_animation_is_asked_about_and_flagged(self, predict, tmp_path):
        path = write_table(tmp_path / "own", ROWS, seed=8)
        (path.parent / "photos" / "moving.gif").write_bytes(animated("GIF"))
        rows = read_rows(path)
        rows[4]["photo_file"] = "moving.gif"
        predict(tmp_path / "out", table=rewrite(path, rows), images=str(path.parent / "photos"))

        predictions = pq.read_table(tmp_path / "out" / "predictions.parquet").to_pylist()
        flagged = [row["id"] for row in predictions if "first-of-several" in row["flags"].split()]
        assert flagged == [rows[4]["sign_no"]]

    def test_a_changed_picture_is_looked_at_again(self, predict, tmp_path):
        path = write_table(tmp_path / "own", ROWS, seed=6)
        given = {"table": path, "images": str(path.parent / "photos")}
        assert not predict(tmp_path / "out", **given)["stages"]["predict flan-t5"]["cached"]
        photos = path.parent / "photos"
        (photos / "sign_002.png").write_bytes((photos / "sign_004.png").read_bytes())
        assert not predict(tmp_path / "out", **given)["stages"]["predict flan-t5"]["cached"]

    def test_without_right_answers_there_are_no_scores(self, predict, tmp_path):
        summary = predict(tmp_path / "out", columns=[*MAPPED, "answer="])
        assert summary["scores"] is None
        assert "The ladder" not in (tmp_path / "out" / "report.html").read_text()
        assert "scores" not in summary["files"]
        assert not (tmp_path / "out" / "scores.json").exists()

    def test_a_folder_with_other_files_is_left_alone(self, predict, tmp_path):
        (tmp_path / "thesis.txt").touch()
        with pytest.raises(PlaceError, match=r"thesis\.txt"):
            predict(tmp_path)
        assert predict(tmp_path, overwrite=True)["answered"] == ROWS - 2

    def test_an_adapter_that_was_never_tuned_is_refused_with_the_command_that_tunes_it(
        self, predict, tmp_path, monkeypatch
    ):
        monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
        with pytest.raises(UnknownArtifact, match="foundry finetune gallery-vqa"):
            predict(tmp_path / "none", "finetuned")

    def test_an_adapter_is_taken_from_the_store_by_name_or_digest_or_from_its_folder(
        self, answered, tuned, predict, tmp_path
    ):
        named = predict(tmp_path / "named", "finetuned")
        by_digest = predict(tmp_path / "digest", tuned["digest"][:12])
        by_folder = predict(tmp_path / "folder", tuned["path"])
        by_alias = predict(tmp_path / "alias", "candidate")
        letters = [chances(Path(one["out"])) for one in (named, by_digest, by_folder, by_alias)]
        assert letters[0] == letters[1] == letters[2] == letters[3] != chances(Path(answered["out"]))
        assert (by_alias["variant"], by_alias["adapter"]) == ("candidate", tuned["digest"])
        assert by_digest["variant"] == f"adapter-{tuned['digest'][:12]}"

    def test_a_server_answers_a_table_and_no_letter_is_guessed(self, predict, doubles, tmp_path):
        with serving_chat() as chat:
            chat.reply = lambda _: (200, '{"choices": [{"message": {"content": "A sign, I think."}}]}')
            remote = f"variants=[{{name='remote', role='server', url='{chat.url}', served_model='m'}}]"
            summary = predict(tmp_path / "out", "remote", doubles=[*doubles, remote])
        assert {row["answer"] for row in read_rows(tmp_path / "out" / "submission.csv")} == {""}
        predictions = pq.read_table(tmp_path / "out" / "predictions.parquet").to_pylist()
        assert {(row["flags"], row["p_a"]) for row in predictions} == {("no-letter", 0.0)}
        scores = summary["scores"]
        assert (scores["accuracy"]["value"], scores["invalid"]["value"]) == (0.0, 1.0)

    def test_of_several_adapters_the_one_that_the_recipe_tunes_is_taken(
        self, tuned, predict, doubles, tmp_path
    ):
        from flows.finetune import finetune

        newer = finetune(overrides=[*doubles, "finetune.learning_rate=0.01"])["adapter"]
        by_digest = [predict(tmp_path / name, name[:12]) for name in (tuned["digest"], newer["digest"])]
        exact = predict(tmp_path / "exact", "finetuned")
        other = [*doubles, "inference.max_new_tokens=5", "finetune.epochs=2"]
        newest = predict(tmp_path / "newest", "finetuned", doubles=other)
        assert chances(Path(exact["out"])) == chances(Path(by_digest[0]["out"]))
        assert exact["adapter"] == tuned["digest"]
        assert newest["adapter"] == newer["digest"]

    @pytest.mark.parametrize(
        ("variant", "error"),
        [("finetund", RecipeError), ("/no/such/folder", RecipeError), ("0" * 12, UnknownArtifact)],
    )
    def test_a_variant_that_is_none_is_refused(self, variant, error, predict, tmp_path):
        with pytest.raises(error, match=variant):
            predict(tmp_path / "out", variant)

    def test_the_run_is_in_mlflow_with_its_scores(self, answered):
        from mlflow import MlflowClient

        client = MlflowClient(answered["mlflow"]["tracking_uri"])
        parent = client.get_run(answered["mlflow"]["run_id"])
        below = f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
        (child,) = client.search_runs([parent.info.experiment_id], below)
        assert parent.data.tags["foundry.flow"] == "predict"
        assert child.info.run_name == "predict flan-t5"
        assert child.data.metrics["eval/accuracy"] == answered["scores"]["accuracy"]["value"]
        assert "submission.csv" in {file.path for file in client.list_artifacts(child.info.run_id)}
        assert parent.data.metrics["eval/accuracy"] == child.data.metrics["eval/accuracy"]
        assert next(iter(child.data.metrics)) == "eval/accuracy"
        assert parent.data.tags["mlflow.note.content"].startswith("flan-t5 answered ")
        run = parent.data.tags["prefect.flow_run_id"]
        assert f"20 answers: {answered['out']}" in log_of(run)
        assert "flan-t5 answered" in artifacts_of(run)["results"][1]


def chances(out: Path) -> list[float]:
    return [row["p_a"] for row in pq.read_table(out / "predictions.parquet").to_pylist()]
