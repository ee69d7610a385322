"""What one request may cost, and how many there may be."""

from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a server; a picture's own are those of every stranger's picture, see `images.limits`.

    Attributes:
        body_bytes: longest body of a request.
        held_bytes: bodies of all requests together that are read or wait.
        text_chars: longest text of a message: tokens are counted of no more.
        prompt_tokens: longest text of a message, in the model's tokens.
        waiting: requests that may be read, wait or be worked on at the same time.
        receive_s: time that a body may take to arrive.
        answer_s: time within which a request is answered.
        collect_s: how long a request waits for others to share its batch.
        retry_after_s: after how long somebody who was turned away may come again.
    """

    body_bytes: int = 32 * MIB
    held_bytes: int = 512 * MIB
    text_chars: int = 16_000
    prompt_tokens: int = 2_048
    waiting: int = 256
    receive_s: float = 30.0
    answer_s: float = 300.0
    collect_s: float = 0.004
    retry_after_s: int = 1
