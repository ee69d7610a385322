"""Heads that are not tied to the embeddings, loaded without a warning each time.

flan-t5 has a head of its own. Its published configs say so in a field that transformers 5 reads as something
else, so that it takes the head for tied, finds both in the files with different values, and leaves them
apart, which is right. Weights that are missing are refused where they are loaded, whatever is said of tying.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGER = "transformers.modeling_utils"
_LEFT_APART = "both are present in the checkpoints with different values"


@contextmanager
def without_tying_warnings() -> Iterator[None]:
    """Leave out what transformers says of weights that it leaves apart."""
    logger = logging.getLogger(_LOGGER)
    logger.addFilter(_is_other)
    try:
        yield
    finally:
        logger.removeFilter(_is_other)


def _is_other(record: logging.LogRecord) -> bool:
    return _LEFT_APART not in record.getMessage()
