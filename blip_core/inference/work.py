"""What all passes of a model over some rows share: settings, counts, pictures, and how prompts are read."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from blip_core.inference.batching import Counter, length_batches
from blip_core.inference.counting import InferenceCounts
from blip_core.inference.encoding import Features
from blip_core.inference.generating import write_texts
from blip_core.inference.reading import Reader, min_length_share, read_prompts
from blip_core.modeling.features import picture_key, prompt_embeddings, question_part
from blip_core.modeling.loading import Blip2Bundle
from blip_core.modeling.text import Prompt, pad_instructions, pad_prompts, target_ids
from blip_core.recipes.inference import Inference
from blip_core.records import Example


@dataclass(frozen=True)
class Work:
    """What all passes over some rows share.

    Attributes:
        bundle: the model.
        settings: how it answers.
        counts: what was done.
        counter: told of every pass over a row.
        features: what all questions about the rows' pictures share, see `picture_part`.
    """

    bundle: Blip2Bundle
    settings: Inference
    counts: InferenceCounts
    counter: Counter
    features: Features
    _candidates: dict[str, list[int]] = field(default_factory=dict)

    @cached_property
    def ranks_texts(self) -> bool:
        return self.settings.ranking == "texts"

    def features_of(self, example: Example) -> Tensor:
        return self.features[picture_key(example.image)]

    def candidate(self, text: str) -> list[int]:
        """Token ids of an option's text, with the end token."""
        if text not in self._candidates:
            self._candidates[text] = target_ids(self.bundle, text)
        return self._candidates[text]

    def batches(self, prompts: Sequence[Prompt], at_once: int | None = None) -> list[list[int]]:
        """Indices of prompts that are worked on together; so many at once, or as the settings say."""
        lengths = [len(prompt.ids) for prompt in prompts]
        return length_batches(lengths, at_once or self.settings.batch_size, min_length_share(self.bundle))

    def read(self, prompts: Sequence[Prompt], pictures: Sequence[Tensor], room: int) -> Reader:
        """Read prompts, those with image tokens about the pictures in their order."""
        padded = pad_prompts(self.bundle, [prompt.ids for prompt in prompts])
        tokens = int(padded.attention_mask.sum())
        rows = padded.to(self.bundle.device)
        if pictures:
            asked = pad_instructions(self.bundle, [prompt.instruction for prompt in prompts])
            seen = question_part(self.bundle, torch.stack(list(pictures)), asked)
            embeddings = prompt_embeddings(self.bundle, rows, seen)
        else:
            embeddings = self.bundle.blip2.get_input_embeddings()(rows.input_ids)
        reader = read_prompts(self.bundle, embeddings, rows.attention_mask, room)
        self.counts.include(
            InferenceCounts(
                prompts=len(prompts),
                tokens=tokens,
                padded_tokens=reader.places - tokens,
                prefills=1,
            )
        )
        return reader

    def write(self, prompts: Sequence[Prompt], pictures: Sequence[Tensor], names: Sequence[str]) -> list[str]:
        """Read prompts about pictures and write a text after each, as long as the settings allow."""
        settings = self.settings
        reader = self.read(prompts, pictures, settings.max_new_tokens)
        return write_texts(
            self.bundle,
            reader,
            settings.max_new_tokens,
            settings.beams,
            self.counts,
            names,
            settings.min_new_tokens,
            settings.length_penalty,
        )
