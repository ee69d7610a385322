"""Tiny checkpoints of the real architectures with random weights, and a small chat server."""

import json
import shutil
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

IMAGE_PX = 16
POLL_S = 0.01  # how soon a server hears that it is over


def tiny_tokenizer(**options):
    """One token a byte."""
    special = ["<pad>", "<s>", "</s>", "<image>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: index for index, token in enumerate(special + alphabet)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    if options.pop("ends", False):
        tokenizer.post_processor = processors.TemplateProcessing(
            "<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", **options
    )


def tiny_llama(tokenizer):
    from transformers import LlamaConfig

    return LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=256,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )


@pytest.fixture(scope="session")
def writer_folder(tmp_path_factory):
    from transformers import LlamaForCausalLM

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("writer")
    tokenizer = tiny_tokenizer()
    LlamaForCausalLM(tiny_llama(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def llava_folder(tmp_path_factory):
    from transformers import CLIPVisionConfig, LlavaConfig, LlavaForConditionalGeneration, LlavaProcessor
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("llava")
    tokenizer = tiny_tokenizer()
    tokenizer.add_special_tokens({"extra_special_tokens": ["<image>"]})
    vision = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=IMAGE_PX,
        patch_size=8,
        projection_dim=16,
    )
    config = LlavaConfig(
        vision_config=vision, text_config=tiny_llama(tokenizer), image_token_index=3, image_seq_length=4
    )
    model = LlavaForConditionalGeneration(config)
    with torch.no_grad():  # a random projection is too faint to be heard among random words
        model.model.multi_modal_projector.linear_2.weight.mul_(50)
    model.save_pretrained(folder)
    image_processor = CLIPImageProcessorPil(
        size={"height": IMAGE_PX, "width": IMAGE_PX}, do_center_crop=False
    )
    processor = LlavaProcessor(
        image_processor,
        tokenizer,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
    )
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def painter_folder(tmp_path_factory):
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("painter")
    tokenizer = tiny_tokenizer(ends=True, model_max_length=32)
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=32,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    )
    unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=16,
        attention_head_dim=2,
        norm_num_groups=4,
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 8),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
    )
    StableDiffusionPipeline(
        vae=vae,
        text_encoder=CLIPTextModel(text),
        tokenizer=tokenizer,
        unet=unet,
        scheduler=DDIMScheduler(steps_offset=1, clip_sample=False),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def flagging_painter_folder(painter_folder, tmp_path_factory):
    """The painter with a safety checker that flags everything, its index as folders of 2023 have it."""
    from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPVisionConfig
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    folder = shutil.copytree(painter_folder, tmp_path_factory.mktemp("flagging") / "painter")
    vision = CLIPVisionConfig(
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=IMAGE_PX,
        patch_size=8,
        projection_dim=16,
    )
    checker = StableDiffusionSafetyChecker(CLIPConfig(vision_config=vision.to_dict(), projection_dim=16))
    checker.concept_embeds_weights.data.fill_(-2.0)  # below every cosine
    checker.save_pretrained(folder / "safety_checker")
    square = {"height": IMAGE_PX, "width": IMAGE_PX}
    CLIPImageProcessorPil(size=square, crop_size=square).save_pretrained(folder / "feature_extractor")
    index = json.loads((folder / "model_index.json").read_text())
    index |= {
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "feature_extractor": ["transformers", "CLIPFeatureExtractor"],
        "requires_safety_checker": True,
    }
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


@pytest.fixture
def copied_layout(layout, tmp_path):
    """A family's folder to change."""
    return lambda family: shutil.copytree(layout(family), tmp_path / family)


class _ChatHandler(BaseHTTPRequestHandler):
    """Answers with what it was asked, so that tests see rows, seeds and pictures arrive."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append((self.path, dict(self.headers), body))
        try:
            self.answer(*self.server.reply(body))
        except ConnectionError:  # ours, to say nothing; or the client's, which has heard enough
            self.close_connection = True

    def do_GET(self):
        try:
            self.answer(*self.server.models())
        except ConnectionError:
            self.close_connection = True

    def answer(self, status, text, headers=()):
        payload = text if isinstance(text, bytes) else text.encode()
        self.send_response(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        if "Transfer-Encoding" in headers:
            self.end_headers()
            self.wfile.writelines(b"%x\r\n%c\r\n" % (1, byte) for byte in payload)
            self.wfile.write(b"0\r\n\r\n")
            return
        # A server that dies has promised more than it sends.
        self.send_header("Content-Length", str(len(payload) + ("Breaks-Off" in headers)))
        self.end_headers()
        self.wfile.write(payload)
        self.close_connection = "Breaks-Off" in headers

    def log_message(self, *_):
        pass


def echo(body):
    text = f"{body['seed']} {body['messages'][0]['content'][:40]}"
    return 200, json.dumps({"choices": [{"message": {"content": f" {text} "}}]})


@contextmanager
def serving_chat(port=0):
    """A server whose attributes `reply` and `models` say what it answers, and that keeps what it is asked."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _ChatHandler)
    server.requests, server.reply = [], echo
    server.models = lambda: (404, "not here")
    server.url = f"http://127.0.0.1:{server.server_port}/v1"
    thread = threading.Thread(target=server.serve_forever, args=[POLL_S], daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def chat_server():
    with serving_chat() as server:
        yield server
