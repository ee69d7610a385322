"""Scenes and labels that a server writes: what enters keys, what is left when it goes, what it costs."""

import json

import pytest
from PIL import Image

from blip_core.errors import RecipeError, ServerAway, StageFailure
from blip_core.prefetching import needs_of, served_models, used_checkpoints
from blip_core.recipes import load_recipe
from blip_core.wiring import check_ready, labeller_identity, workplace
from blip_core.wiring.served import with_server_facts
from flows.cli.checks import serving
from flows.cli.checks.finding import Case
from tasks import label_pictures, read_pictures, write_scenes
from tests.contract.conftest import serving_chat
from tests.served_answers import answer

PICTURES = 10
TOLD = {"id": "m", "root": "owner/m"}
AWAY = "http://127.0.0.1:9/v1"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr("blip_core.backends.chat.trying.FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr("blip_core.backends.chat.trying.JITTER_S", 0.0)
    with serving_chat() as chat:
        chat.reply = answer
        chat.models = lambda: (200, json.dumps({"data": [TOLD]}))
        yield chat


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("tasks.shards.ROWS_PER_SHARD", 4)
    album = tmp_path / "album"
    album.mkdir()
    for number in range(PICTURES):
        Image.new("RGB", (8, 8), (20 * number, 90, 30)).save(album / f"{number}.png")
    return album


def recipe_of(url, album, *more):
    model = f"{{url='{url}', served_model='m', requests_at_once=1}}"
    given = [f"scenes.model={model}", f"labels.model={model}", "scenes.count=8", "labels.per_picture=1"]
    source = ["source.kind=folder", f"source.path={album}"] if album else []
    return load_recipe("gallery-vqa", "pocket", [*given, *source, "labels.batch_size=2", *more])


def label(recipe):
    pictures = read_pictures.read_pictures.task.fn(recipe=recipe)
    ref = label_pictures.label_pictures.task.fn(recipe=recipe, pictures=pictures)
    return workplace().store.find(ref.key)


def asked(server):
    return [body["seed"] for _, _, body in server.requests]


def test_scenes_and_labels_come_from_one_server_and_say_what_they_cost(server, home):
    recipe = with_server_facts(recipe_of(server.url, None))
    scenes = workplace().store.find(write_scenes.write_scenes.task.fn(recipe=recipe).key)
    assert scenes.rows == 8
    assert scenes.metadata["model"] == f"m {json.dumps(TOLD)}"
    labels = label(with_server_facts(recipe_of(server.url, home)))
    assert labels.rows == PICTURES
    costs = labels.metadata["costs"]
    assert (costs["requests"], costs["prompt_tokens"], costs["written_tokens"]) == (10, 1_000, 300)
    assert costs["seconds"] > 0
    assert not list(workplace().answers.glob("*")), "what is finished rests in the store"


def test_a_server_that_goes_midway_is_one_sentence_and_what_it_answered_is_kept(server, home):
    recipe = with_server_facts(recipe_of(server.url, home))

    def going(body):
        if len(server.requests) > 7:
            raise ConnectionAbortedError
        return answer(body)

    server.reply = going
    with pytest.raises(ServerAway, match="could not be reached") as told:
        label(recipe)
    assert "\n" not in str(told.value)
    server.reply, server.requests[:] = answer, []
    assert label(recipe).rows == PICTURES
    assert len(server.requests) == PICTURES - 7


def test_a_budget_that_is_spent_stops_the_stage_and_the_next_run_goes_on(server, home):
    recipe = with_server_facts(recipe_of(server.url, home, "labels.model.max_requests=6"))
    with pytest.raises(StageFailure, match=r"6 requests were made, as many as labels\.model\.max_requests"):
        label(recipe)
    made = label(recipe)
    assert made.rows == PICTURES
    assert len(asked(server)) == len(set(asked(server))) == PICTURES
    assert made.metadata["costs"]["requests"] == PICTURES


def test_a_label_that_cannot_be_read_is_asked_for_again_under_another_seed(server, home):
    first = {}

    def clumsy(body):
        first.setdefault(body["messages"][0]["content"][0]["image_url"]["url"], body["seed"])
        if body["seed"] in first.values():
            return 200, json.dumps(
                {"choices": [{"message": {"content": '{"desc'}, "finish_reason": "length"}]}
            )
        return answer(body)

    server.reply = clumsy
    made = label(with_server_facts(recipe_of(server.url, home)))
    assert made.rows == PICTURES
    assert made.metadata["costs"]["cut"] == PICTURES


def identity(url, album, told, *more):
    model = recipe_of(url, album, *more).labels.model.model_copy(update={"told": told and json.dumps(told)})
    recipe = recipe_of(url, album, *more)
    return labeller_identity(
        recipe.model_copy(update={"labels": recipe.labels.model_copy(update={"model": model})})
    )


def test_another_model_behind_a_name_is_another_model(home):
    told = [TOLD, {**TOLD, "root": "owner/other"}, {**TOLD, "revision": "2"}, {"id": "m"}, {}]
    assert len({identity(AWAY, home, facts) for facts in told}) == len(told)


def test_a_model_is_the_same_at_another_address_where_its_server_tells_what_it_is(home):
    other = "http://127.0.0.1:10/v1"
    assert identity(AWAY, home, TOLD) == identity(other, home, TOLD)
    assert identity(AWAY, home, {"id": "m"}) != identity(other, home, {"id": "m"})
    assert identity(AWAY, home, {}) != identity(other, home, {})


@pytest.mark.parametrize(
    "handling", ["requests_at_once=3", "max_requests=9", "max_seconds=5", "key_variable=K"]
)
def test_how_answers_are_fetched_moves_no_key(home, handling):
    recipe, other = recipe_of(AWAY, home), recipe_of(AWAY, home, f"labels.model.{handling}")
    assert recipe.digest("labels", "seed") == other.digest("labels", "seed")
    assert recipe.digest() != other.digest()


@pytest.mark.parametrize("deciding", ["thinking_tokens=9", "structured=false", "served_model=other"])
def test_what_decides_answers_moves_the_key(home, deciding):
    recipe, other = recipe_of(AWAY, home), recipe_of(AWAY, home, f"labels.model.{deciding}")
    assert recipe.digest("labels", "seed") != other.digest("labels", "seed")


def test_a_server_that_is_away_or_busy_is_told_before_any_work(server, home):
    with pytest.raises(ServerAway, match="could not be reached"):
        check_ready(recipe_of(AWAY, home))
    server.models = lambda: (503, "restarting")
    server.reply = lambda _: (503, "restarting")
    with pytest.raises(StageFailure, match="503"):
        check_ready(recipe_of(server.url, home))


def test_a_server_that_has_gone_is_not_missed_where_it_finished_its_step(server, home):
    recipe = recipe_of(server.url, home)
    done = with_server_facts(recipe)
    label(done)
    server.shutdown()
    server.server_close()
    assert with_server_facts(recipe) == done
    with pytest.raises(ServerAway):
        with_server_facts(recipe_of(server.url, home, "labels.temperature=0.9"))


def test_the_phases_of_a_recipe_hold_what_their_own_servers_tell(server, home, tmp_path):
    recipe = recipe_of(server.url, home)
    written = tmp_path / "phased.toml"
    model = f"{{ url = '{server.url}', served_model = 'm' }}"
    phases = f"[[phases]]\nname = 'one'\n[[phases]]\nname = 'two'\nlabels = {{ model = {model} }}\n"
    written.write_text(recipe.to_toml() + phases)
    told = with_server_facts(load_recipe(str(written)))
    assert {one.labels.model.told for one in map(told.in_phase, told.phases)} == {json.dumps(TOLD)}


def test_what_a_server_works_is_neither_fetched_nor_looked_for():
    recipe = recipe_of(AWAY, None)
    assert [field for field, _ in served_models(recipe)] == ["scenes.model", "labels.model"]
    assert not {"scenes.model", "labels.model"} & {field for field, _ in used_checkpoints(recipe)}
    assert needs_of(recipe) == []


def test_a_key_that_the_environment_lacks_is_told_before_any_work(server, home):
    with pytest.raises(RecipeError, match=r"labels\.model\.key_variable is NO_SUCH_KEY, but the environment"):
        check_ready(recipe_of(server.url, home, "labels.model.key_variable=NO_SUCH_KEY"))


def test_doctor_asks_whether_servers_answer(server, home):
    recipe = recipe_of(server.url, home)
    (well,) = serving.models(Case(workplace(), recipe, False, 0, 0))
    assert (well.state, "owner/m" in well.said) == ("ok", True)
    (away,) = serving.models(Case(workplace(), recipe_of(AWAY, home), False, 0, 0))
    assert away.state == "problem"
    assert "could not be reached" in away.said
