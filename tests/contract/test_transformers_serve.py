"""Scenes and labels from a real server on loopback: `transformers serve` with bundled models.

It ignores `response_format` without a word, and lists no models of folders.
"""

import shutil
import socket
import time
from pathlib import Path

import pytest
from PIL import Image

from blip_core.backends.chat import ChatClient
from blip_core.backends.openai_compatible import OpenAICompatibleLabeller, OpenAICompatibleWriter
from blip_core.errors import StageFailure
from blip_core.kinds.label_text import ParsedLabel
from blip_core.pocket import models_dir
from blip_core.recipes import load_recipe
from blip_core.scenes import parse_list, scene_prompt, write_scenes
from blip_core.wiring.served import label_structure, list_structure

pytest.importorskip("openai", reason="`transformers serve` imports it; `make install` brings it")
WAIT_S = 60
SMOLLM = Path(__file__).parents[2] / "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
# A turn as LLaVA frames it; the bundled labeller is asked by whole prompts and has no template of its own.
TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>\n{% endif %}{% endfor %}USER: "
    "{% for part in message['content'] if part['type'] == 'text' %}{{ part['text'] }}{% endfor %}"
    "{% endfor %}\n\nASSISTANT:"
)


@pytest.fixture(scope="module")
def url():
    from transformers.cli.serve import Serve

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    serve = Serve(host="127.0.0.1", port=port, device="cpu", non_blocking=True, log_level="error")
    until = time.monotonic() + WAIT_S
    while not serve.server.started and time.monotonic() < until:
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}/v1"
    serve.kill_server()


@pytest.fixture(scope="module")
def labeller_folder(tmp_path_factory):
    folder = shutil.copytree(models_dir() / "llava", tmp_path_factory.mktemp("served") / "llava")
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


def client(url, model, structure, tokens=128):
    return ChatClient(
        url,
        str(model),
        0.4,
        0.95,
        tokens,
        structure=structure,
        thinks=False,
        pause=lambda _: None,
        requests_at_once=1,
    )


def test_a_real_server_writes_scenes_under_their_seeds(url):
    scenes = load_recipe("gallery-vqa", "pocket").scenes
    prompt = scene_prompt(scenes.categories[0], scenes)
    with client(url, models_dir() / "writer", list_structure(scenes.per_call)) as chat:
        chat.check_served()
        writer = OpenAICompatibleWriter(chat)
        texts = writer.write([prompt, prompt], [1, 2])
        assert all(len(parse_list(text)) >= 3 for text in texts)
        assert writer.write([prompt], [1]) == texts[:1]
        assert chat.costs.written_tokens > 0


def test_a_real_server_labels_pictures(url, labeller_folder):
    recipe = load_recipe("gallery-vqa", "pocket")
    picture = Image.open(models_dir().parent / "assets" / "objects.png").convert("RGB").crop((0, 0, 64, 64))
    with client(url, labeller_folder, label_structure(recipe.kind)) as chat:
        texts = OpenAICompatibleLabeller(chat).label([picture] * 3, [recipe.labels.prompt] * 3, [1, 2, 3])
    assert any(isinstance(recipe.kind.parse_label(text), ParsedLabel) for text in texts), texts


def test_a_model_that_a_real_server_does_not_have_is_told(url, tmp_path):
    with client(url, tmp_path / "none", None) as chat, pytest.raises(StageFailure) as told:
        chat.check_served()
    assert "\n" not in str(told.value)


@pytest.fixture
def smollm_folder(tmp_path):
    """SmolLM2 as a folder of safetensors: of a local GGUF the server finds no architecture."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    file, whole = SMOLLM.name, GgufConfig(dequantize=True)
    model = AutoModelForCausalLM.from_pretrained(SMOLLM.parent, gguf_file=file, quantization_config=whole)
    model.save_pretrained(tmp_path)
    AutoTokenizer.from_pretrained(SMOLLM.parent, gguf_file=file).save_pretrained(tmp_path)
    return tmp_path


@pytest.mark.smollm
def test_a_real_language_model_writes_scenes(url, smollm_folder):
    asked = ["scenes.count=2", "scenes.per_call=2", "scenes.max_calls_factor=10"]  # it repeats itself
    settings = load_recipe("gallery-vqa", "workstation", asked).scenes
    with client(url, smollm_folder, list_structure(2), tokens=160) as chat:
        scenes, counts = write_scenes(OpenAICompatibleWriter(chat), settings, seed=0)
    assert len(scenes) == 2
    assert counts.calls >= 1
