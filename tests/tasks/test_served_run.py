"""All stages with scenes and labels from one server on loopback, which is killed in each of the two."""

import json
from collections import Counter
from contextlib import contextmanager
from math import ceil

import pytest

from blip_core.errors import ServerAway
from blip_core.recipes import load_recipe
from blip_core.wiring import check_ready, workplace
from tests.contract.conftest import serving_chat
from tests.faults.stages import run_stages
from tests.served_answers import SCENES_A_LIST, answer

SCENES = 12
LISTS = ceil(SCENES / SCENES_A_LIST)
ROWS_PER_SHARD = 4
LISTS_BEFORE_DEATH = 2
LABELS_BEFORE_DEATH = 6  # in the middle of the second shard


class Mortal:
    """A server at one address that dies after so many answers to a step, and whose answers are counted."""

    def __init__(self):
        self.answered = []
        self.left = {}
        self.server = None

    def reply(self, body):
        step = body["response_format"]["json_schema"]["name"]
        if self.left.get(step) == 0:
            self.server.socket.close()  # whoever asks from now on is refused
            raise ConnectionAbortedError
        if step in self.left:
            self.left[step] -= 1
        self.answered.append((step, body["seed"]))
        return answer(body)

    @contextmanager
    def living(self, **answers_left):
        """Serve until the context ends, or until the named steps got so many answers."""
        self.left = answers_left
        with serving_chat(self.server.server_port if self.server else 0) as self.server:
            self.server.reply = self.reply
            self.server.models = lambda: (200, json.dumps({"data": [{"id": "m", "root": "owner/m"}]}))
            yield self.server.url


@pytest.fixture(scope="module")
def lives(tmp_path_factory, tiny_blip2):
    """What two runs said whose server was killed, what the run that went on made, and all answers."""
    mortal, said = Mortal(), []

    def run(url):
        model = f"{{url='{url}', served_model='m', requests_at_once=1}}"
        overrides = [
            f"scenes.model={model}",
            f"labels.model={model}",
            f"baseline={tiny_blip2('opt')}",
            f"finetune.base={tiny_blip2('t5')}",
            f"scenes.count={SCENES}",
            "scenes.batch_size=1",
            "source.kind=world",
            "labels.per_picture=1",
            "labels.batch_size=2",
            "finetune.quantisation=none",
            "finetune.epochs=1",
            "inference.quantisation=none",
            "inference.max_new_tokens=4",
            "inference.ablations=[]",
            "inference.circular=false",
            "findings=[]",
            "evaluation.limit=8",
        ]
        return dict(run_stages(check_ready(load_recipe("gallery-vqa", "pocket", overrides))))

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FOUNDRY_HOME", str(tmp_path_factory.mktemp("served")))
        patch.setattr("tasks.shards.ROWS_PER_SHARD", ROWS_PER_SHARD)
        patch.setattr("blip_core.backends.chat.trying.FIRST_PAUSE_S", 0.0)
        patch.setattr("blip_core.backends.chat.trying.JITTER_S", 0.0)
        for left in ({"scenes": LISTS_BEFORE_DEATH}, {"label": LABELS_BEFORE_DEATH}):
            with mortal.living(**left) as url, pytest.raises(ServerAway) as told:
                run(url)
            said.append((str(told.value), Counter(step for step, _ in mortal.answered)))
        with mortal.living() as url:
            made = run(url)
        found = {name: workplace().store.find(ref.key) for name, ref in made.items()}
    return said, found, mortal.answered


def test_a_server_that_is_killed_in_the_scenes_or_in_the_labels_is_one_sentence(lives):
    for message, _ in lives[0]:
        assert "could not be reached" in message
        assert "\n" not in message


def test_the_next_run_asks_for_nothing_that_was_answered(lives):
    said, _, answered = lives
    in_scenes, in_labels = (counts for _, counts in said)
    assert in_scenes == {"scenes": LISTS_BEFORE_DEATH}
    assert in_labels == {"scenes": LISTS, "label": LABELS_BEFORE_DEATH}
    assert Counter(step for step, _ in answered) == {"scenes": LISTS, "label": SCENES}
    assert len(set(answered)) == len(answered)


def test_the_run_that_goes_on_ends_in_a_comparison_and_says_what_its_server_cost(lives):
    _, made, _ = lives
    assert [name for name in made if name.startswith("predict ")] == [
        "predict baseline",
        "predict flan-t5",
        "predict finetuned",
    ]
    assert "compare" in made
    assert made["labels"].metadata["costs"]["requests"] == SCENES
