"""How the variants answer."""

from blip_core.recipes.base import BatchSize, NewTokens, Quantisation, Section


class Inference(Section):
    """Describing first, then answering; or answering alone."""

    describe_prompt: str = ""
    """Stage one: {question} is filled in."""
    answer_prompt: str = ""
    """Stage two: {description}, {question} and, for four options, {a} to {d} are filled in."""
    max_new_tokens: NewTokens = 64
    """Longest description or answer, in tokens."""
    batch_size: BatchSize = 16
    """Rows answered at once."""
    quantisation: Quantisation = "nf4"
    """Precision of the language model of every variant that is judged."""
    free_generation: bool = True
    """Whether answers are also written freely beside the ranking of letters."""
