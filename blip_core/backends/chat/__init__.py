"""Asking a server that speaks OpenAI's chat completions protocol, and reading what it answers.

vLLM, SGLang, TGI, Ollama and `transformers serve` all do. Protocol:
https://platform.openai.com/docs/api-reference/chat
"""

from blip_core.backends.chat.client import ChatClient
from blip_core.backends.chat.dialect import Dialect
from blip_core.backends.chat.keeping import KeptReplies
from blip_core.backends.chat.metering import Meter
from blip_core.backends.chat.reply import Content, Reply
from blip_core.backends.chat.structure import Structure, object_of

__all__ = [
    "ChatClient",
    "Content",
    "Dialect",
    "KeptReplies",
    "Meter",
    "Reply",
    "Structure",
    "object_of",
]
