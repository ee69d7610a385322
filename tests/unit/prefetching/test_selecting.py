import pytest

from blip_core.prefetching.needs import Need
from blip_core.prefetching.selecting import RemoteFile, select

MODEL = ["config.json", "model.safetensors", "tokenizer.json"]


def selected(*names: str) -> set[str]:
    files = [RemoteFile(name, 1) for name in (*MODEL, *names)]
    return {file.name for file in select(Need("owner/name", "", ("finetune.base",)), files).all}


@pytest.mark.parametrize("folder", ["qformer_tokenizer", "decoder_tokenizer", "text/tokenizer_2"])
def test_a_second_tokenizer_comes_with_its_folder(folder: str) -> None:
    texts = {f"{folder}/{name}" for name in ("tokenizer_config.json", "tokenizer.json", "vocab.txt")}

    assert selected(*texts) == {*MODEL, *texts}


@pytest.mark.parametrize(
    "name",
    ["onnx/config.json", "onnx/tokenizer_config.json", "logs/events.json", "qformer_tokenizer/code.py"],
)
def test_other_folders_stay_where_they_are(name: str) -> None:
    assert selected("onnx/config.json", name) == set(MODEL)
