"""What the models of annotation steps promise, with tiny real classes of random weights."""

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from blip_core.backends.picture_text_scorer import EmbeddingScorer, MatchingScorer, load_scorer
from blip_core.backends.scripted import ScriptedEmbedder, ScriptedReader, ScriptedScorer
from blip_core.backends.sentence_embedder import SentenceEmbedder
from blip_core.backends.span_reader import ExtractiveReader
from blip_core.errors import CheckpointError, NotANumber, StageFailure
from blip_core.ports import TEXTS_AT_ONCE, Embedder, PictureTextScorer, Span, SpanReader
from tests.unit.examples import world_pixels

PX = 16
TEXTS = ["red", "a blue shoe made of leather", "green"]
SIZES = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}


def byte_tokenizer(**options):
    """One token a byte; texts in `<s> ... </s>`, pairs in `<s> ... </s> ... </s>`."""
    special = ["<pad>", "<s>", "</s>", "<image>"]
    vocabulary = {
        token: index for index, token in enumerate(special + sorted(pre_tokenizers.ByteLevel.alphabet()))
    }
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> $B:1 </s>:1", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    names = {
        "pad_token": "<pad>",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "cls_token": "<s>",
        "sep_token": "</s>",
    }
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names, **options)


def saved(folder, model, tokenizer, images=None):
    for part in (model, tokenizer, *([images] if images else [])):
        part.save_pretrained(folder)
    return folder


def clip(folder):
    from transformers import CLIPConfig, CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    tokenizer = byte_tokenizer(model_max_length=40)
    config = CLIPConfig(
        text_config={**SIZES, "vocab_size": len(tokenizer), "max_position_embeddings": 40, "eos_token_id": 2},
        vision_config={**SIZES, "image_size": PX, "patch_size": 8},
        projection_dim=8,
    )
    size = {"height": PX, "width": PX}
    return saved(folder, CLIPModel(config), tokenizer, CLIPImageProcessorPil(size=size, do_center_crop=False))


def siglip(folder):
    from transformers import SiglipConfig, SiglipModel
    from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

    tokenizer = byte_tokenizer(model_max_length=40)
    config = SiglipConfig(
        text_config={
            **SIZES,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 40,
            "projection_size": 16,
        },
        vision_config={**SIZES, "image_size": PX, "patch_size": 8},
    )
    return saved(
        folder, SiglipModel(config), tokenizer, SiglipImageProcessorPil(size={"height": PX, "width": PX})
    )


def matching(folder, image_token=3):
    from transformers import Blip2Config, Blip2ForImageTextRetrieval
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    tokenizer = byte_tokenizer(model_max_length=64)
    config = Blip2Config(
        vision_config={**SIZES, "image_size": PX, "patch_size": 8},
        qformer_config={
            **SIZES,
            "vocab_size": len(tokenizer),
            "encoder_hidden_size": 16,
            "cross_attention_frequency": 1,
            "max_position_embeddings": 64,
            "use_qformer_text_input": True,
        },
        text_config={
            "model_type": "opt",
            "vocab_size": len(tokenizer),
            "hidden_size": 16,
            "num_hidden_layers": 1,
        },
        num_query_tokens=4,
        image_text_hidden_size=8,
        image_token_index=image_token,
    )
    size = {"height": PX, "width": PX}
    model = Blip2ForImageTextRetrieval(config)
    with torch.no_grad():  # queries begin as zeros, and small random weights hardly hear a picture
        model.query_tokens.normal_()
        for weights in model.parameters():
            if weights.dim() > 1:
                weights.mul_(6)
    return saved(folder, model, tokenizer, BlipImageProcessorPil(size=size))


def scripted_scores(folder):
    del folder
    return ScriptedScorer([[len(text) / 100 for text in TEXTS]] * 30)


SCORERS = {
    "clip": lambda folder: load_scorer(clip(folder)),
    "siglip": lambda folder: load_scorer(siglip(folder)),
    "matching": lambda folder: load_scorer(matching(folder)),
    "matching-older": lambda folder: load_scorer(matching(folder, None)),
    "scripted": scripted_scores,
}


@pytest.fixture(scope="module")
def pictures():
    from PIL import Image

    return [Image.fromarray(world_pixels(seed)) for seed in range(3)]


@pytest.fixture(params=SCORERS)
def scorer(request, tmp_path):
    torch.manual_seed(0)
    return SCORERS[request.param](tmp_path)


def test_scores_do_not_depend_on_the_batch_and_come_again(scorer, pictures):
    assert isinstance(scorer, PictureTextScorer)
    together = scorer.score(pictures, [TEXTS] * 3)
    alone = [scorer.score([picture], [TEXTS])[0] for picture in pictures]
    assert [len(row) for row in together] == [3, 3, 3]
    for one, other in zip(together, alone, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    assert scorer.score(pictures, [TEXTS] * 3) == together
    assert all(-1 <= score <= 1 for row in together for score in row)


def test_each_picture_has_texts_of_its_own(scorer, pictures):
    given = scorer.score(pictures, [TEXTS, TEXTS, TEXTS])
    if isinstance(scorer, ScriptedScorer):
        return
    apart = scorer.score(pictures, [TEXTS[:1], [], TEXTS[1:]])
    assert [len(row) for row in apart] == [1, 0, 2]
    assert apart[0][0] == pytest.approx(given[0][0], abs=1e-5)
    assert apart[2] == pytest.approx(given[2][1:], abs=1e-5)


def test_scores_are_heard_from_picture_and_text(scorer, pictures):
    if isinstance(scorer, ScriptedScorer):
        return
    given = scorer.score(pictures, [TEXTS] * 3)
    assert len({round(row[0], 7) for row in given}) > 1  # another picture, the same text
    assert len({round(score, 7) for score in given[0]}) > 1


def test_a_scorer_refuses_what_all_models_refuse(scorer, pictures):
    assert scorer.score([], []) == []
    with pytest.raises(ValueError, match="zip"):
        scorer.score(pictures, [TEXTS])
    scorer.close()
    scorer.close()
    with pytest.raises(StageFailure, match="closed"):
        scorer.score(pictures, [TEXTS] * 3)


def test_long_texts_are_cut(tmp_path, pictures):
    for make in (clip, siglip, matching):
        scorer = load_scorer(make(tmp_path / make.__name__))
        assert len(scorer.score(pictures[:1], [["red " * 200]])[0]) == 1


def test_a_folder_is_opened_as_what_it_holds(tmp_path):
    assert isinstance(load_scorer(clip(tmp_path / "clip")), EmbeddingScorer)
    assert isinstance(load_scorer(matching(tmp_path / "itm")), MatchingScorer)
    with pytest.raises(CheckpointError, match="allowed here: CLIPModel"):
        load_scorer(bert(tmp_path / "bert"))


def test_a_scorer_whose_weights_are_no_numbers_is_refused(tmp_path):
    from transformers import CLIPModel

    folder = clip(tmp_path)
    model = CLIPModel.from_pretrained(folder)
    with torch.no_grad():
        model.visual_projection.weight.fill_(float("nan"))
    model.save_pretrained(folder)
    with pytest.raises(CheckpointError, match="NaN"):
        load_scorer(folder)


def bert(folder):
    from transformers import BertConfig, BertModel

    tokenizer = byte_tokenizer(model_max_length=64)
    return saved(
        folder,
        BertModel(BertConfig(**SIZES, vocab_size=len(tokenizer), max_position_embeddings=64)),
        tokenizer,
    )


def mpnet(folder):
    from transformers import MPNetConfig, MPNetModel

    tokenizer = byte_tokenizer(model_max_length=100)
    config = MPNetConfig(
        **SIZES, vocab_size=len(tokenizer), max_position_embeddings=66, pad_token_id=0, bos_token_id=1
    )
    return saved(folder, MPNetModel(config), tokenizer)


EMBEDDERS = {
    "bert": lambda folder: SentenceEmbedder(bert(folder)),
    "mpnet": lambda folder: SentenceEmbedder(mpnet(folder)),
    "scripted": lambda folder: ScriptedEmbedder([[0.6, 0.8]] * 20),
}


@pytest.fixture(params=EMBEDDERS)
def embedder(request, tmp_path):
    torch.manual_seed(0)
    return EMBEDDERS[request.param](tmp_path)


def test_vectors_are_of_length_one_whatever_the_batch(embedder):
    assert isinstance(embedder, Embedder)
    together = embedder.embed([*TEXTS, "a text of many words " * 20])
    assert [sum(value**2 for value in vector) for vector in together] == pytest.approx([1.0] * 4, abs=1e-5)
    for text, vector in zip(TEXTS, together, strict=False):
        assert embedder.embed([text])[0] == pytest.approx(vector, abs=1e-5)
    assert embedder.embed([]) == []
    embedder.close()
    embedder.close()
    with pytest.raises(StageFailure, match="closed"):
        embedder.embed(TEXTS)


@pytest.mark.parametrize("kind", [bert, mpnet])
def test_any_number_of_texts_is_worked_in_runs_of_one_length(kind, tmp_path):
    embedder = SentenceEmbedder(kind(tmp_path))
    texts = [f"text {'of some length ' * (number % 3)}{number}" for number in range(TEXTS_AT_ONCE + 6)]
    runs = texts[:TEXTS_AT_ONCE], texts[TEXTS_AT_ONCE:]
    assert embedder.embed(texts) == [vector for run in runs for vector in embedder.embed(run)]


def laid_out(folder, kinds, pooling=None):
    import json

    (folder / "modules.json").write_text(
        json.dumps(
            [
                {"idx": place, "type": f"sentence_transformers.models.{kind}"}
                for place, kind in enumerate(kinds)
            ]
        )
    )
    if pooling:
        (folder / "1_Pooling").mkdir()
        (folder / "1_Pooling/config.json").write_text(
            json.dumps({f"pooling_mode_{name}": True for name in pooling})
        )


def test_a_folder_says_how_its_tokens_become_a_vector(tmp_path):
    torch.manual_seed(0)
    folder = bert(tmp_path)
    plain = SentenceEmbedder(folder).embed(TEXTS)
    laid_out(folder, ["Transformer", "Pooling"], ["cls_token"])
    assert SentenceEmbedder(folder).embed(TEXTS)[0] != pytest.approx(plain[0], abs=1e-3)


@pytest.mark.parametrize(
    ("kinds", "pooling", "told"),
    [
        (["Transformer", "Pooling"], ["max_tokens"], "pooling_mode_max_tokens"),
        (["Transformer", "Pooling"], ["mean_tokens", "cls_token"], "pooling_mode_mean_tokens, "),
        (["Transformer", "Pooling", "Dense"], ["mean_tokens"], "by Dense"),
        (["Transformer", "Pooling"], None, "lacks"),
    ],
)
def test_a_folder_that_makes_vectors_in_another_way_is_refused(tmp_path, kinds, pooling, told):
    laid_out(bert(tmp_path), kinds, pooling)
    with pytest.raises(CheckpointError, match=told):
        SentenceEmbedder(tmp_path)


def reading(kind, folder, **options):
    from transformers import AutoConfig, AutoModelForQuestionAnswering

    tokenizer = byte_tokenizer(model_max_length=96)
    names = {"distilbert": {"dim": 16, "hidden_dim": 32, "n_layers": 1, "n_heads": 2}}.get(kind, SIZES)
    config = AutoConfig.for_model(
        kind, **names, vocab_size=len(tokenizer), max_position_embeddings=96, **options
    )
    return saved(folder, AutoModelForQuestionAnswering.from_config(config), tokenizer)


READERS = {
    "bert": lambda folder: ExtractiveReader(reading("bert", folder)),
    "distilbert": lambda folder: ExtractiveReader(reading("distilbert", folder)),
    "deberta-v2": lambda folder: ExtractiveReader(reading("deberta-v2", folder)),
    "scripted": lambda folder: ScriptedReader([Span("red", 9, 1.0), None] * 30),
}
ASKED = ["What is red?", "Where?", "Who sings in the park at night?", "What?"]
PASSAGES = [
    "the shoe is red",
    "in the park, a long way from everywhere else",
    "nobody",
    "é, è and ñ: the shoe",
]


@pytest.fixture(params=READERS)
def reader(request, tmp_path):
    torch.manual_seed(1)
    return READERS[request.param](tmp_path)


def test_spans_stand_in_their_texts_whatever_the_batch(reader):
    assert isinstance(reader, SpanReader)
    together = reader.read(ASKED, PASSAGES)
    assert len(together) == 4
    if not isinstance(reader, ScriptedReader):
        for asked, text, span in zip(ASKED, PASSAGES, together, strict=True):
            (alone,) = reader.read([asked], [text])
            assert (alone and alone.text) == (span and span.text)
            assert span is None or (text[span.start :].startswith(span.text) and span.score > 0)
        assert reader.read(ASKED, PASSAGES) == together
    assert reader.read([], []) == []
    with pytest.raises(ValueError, match="zip"):
        reader.read(ASKED, PASSAGES[:1])
    reader.close()
    with pytest.raises(StageFailure, match="closed"):
        reader.read(ASKED, PASSAGES)


def biased(folder, none):
    """A reader for which every token of a text is as likely, and no answer more or less than those."""
    from transformers import AutoModelForQuestionAnswering

    model = AutoModelForQuestionAnswering.from_pretrained(folder)
    with torch.no_grad():
        model.qa_outputs.weight.zero_()
        model.qa_outputs.bias.zero_()
        embeddings = model.bert.embeddings
        model.bert.encoder.layer = torch.nn.ModuleList()
        embeddings.word_embeddings.weight.zero_()
        embeddings.position_embeddings.weight.zero_()
        embeddings.token_type_embeddings.weight.zero_()
        embeddings.word_embeddings.weight[1] = torch.tensor([1.0, -1.0] * 8) * none
        model.qa_outputs.weight[:] = torch.tensor([1.0, -1.0] * 8) / 16
    model.config.num_hidden_layers = 0
    model.save_pretrained(folder)
    return ExtractiveReader(folder)


@pytest.mark.parametrize(("none", "finds"), [(1.0, False), (-1.0, True)])
def test_no_answer_competes_with_the_best_one(tmp_path, none, finds):
    reader = biased(reading("bert", tmp_path), none)
    (span,) = reader.read(["Who?"], ["nobody"])
    assert (span is not None) == finds


def test_long_texts_are_read_in_windows_and_long_questions_cut(tmp_path):
    reader = biased(reading("bert", tmp_path), -1.0)
    (span,) = reader.read(["why " * 100], ["word " * 300 + "end"])
    assert span is not None
    assert 0 < len(span.text) <= 30


def test_an_empty_text_holds_no_answer(tmp_path):
    reader = biased(reading("bert", tmp_path), -1.0)
    assert reader.read(["Who?", ""], ["", "nobody"])[0] is None


def test_logits_that_are_no_numbers_are_told_by_the_place_of_the_row(tmp_path):
    reader = ExtractiveReader(reading("bert", tmp_path))
    with torch.no_grad():
        reader._model.qa_outputs.bias.fill_(float("nan"))
    with pytest.raises(NotANumber) as told:
        reader.read(ASKED, PASSAGES)
    assert told.value.place == 0
