"""How a recipe's prompt becomes the messages of a chat, written by the model's own template.

Recipes write turns as LLaVA 1.5 does: `SYSTEM:`, `USER:` and `ASSISTANT:` in front of what each says, and
`<image>` where the picture stands. A prompt without turns is all the user's; what precedes the first turn is
the system's.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from blip_core.errors import CheckpointError

IMAGE_MARK = "<image>"

Message = dict[str, Any]

_TURN = re.compile(r"(?:\A|(?<=\s))(SYSTEM|USER|ASSISTANT):")
# How templates are told to leave thinking out: Qwen3, GLM and SmolLM3; DeepSeek, Granite and Kimi.
_THINKING_SWITCHES = ("enable_thinking", "thinking")


def has_turns(prompt: str) -> bool:
    """Whether a prompt writes its turns out, the model's own last."""
    return prompt.rstrip().endswith("ASSISTANT:")


def messages_of(prompt: str) -> tuple[list[Message], str]:
    """Messages of a prompt, in parts of text and picture, and how the answer is to begin."""
    before, *turns = _TURN.split(prompt)
    if not turns:
        return [_message("user", before)], ""
    said = list(zip((role.lower() for role in turns[::2]), turns[1::2], strict=True))
    opening = said.pop()[1].strip() if said[-1][0] == "assistant" else ""
    if all(role != "user" for role, _ in said):
        said.append(("user", ""))
    shown = IMAGE_MARK * before.count(IMAGE_MARK)  # in front of the turns, as LLaVA's prompts have it
    first = next(place for place, (role, _) in enumerate(said) if role == "user")
    said[first] = ("user", shown + said[first][1])
    head = before.replace(IMAGE_MARK, "")
    system = [_message("system", head)] if head.strip() else []
    return [*system, *(_message(role, text) for role, text in said)], opening


def _message(role: str, text: str) -> Message:
    content: list[Mapping[str, str]] = []
    for place, piece in enumerate(text.split(IMAGE_MARK)):
        if place:
            content.append({"type": "image"})
        if piece.strip():
            content.append({"type": "text", "text": piece.strip()})
    return {"role": role, "content": content}


def plain_text(message: Message) -> str:
    """What a message says, for models that see no pictures: the mark stands for itself."""
    return " ".join(part.get("text", IMAGE_MARK) for part in message["content"])


def continued(framed: str, opening: str) -> str:
    """A framed prompt with the words that the answer begins with."""
    if not opening:
        return framed
    return framed + opening if framed[-1].isspace() else f"{framed} {opening}"


def template_of(*owners: Any) -> str | None:
    """The chat template of the first owner that has one; of several by name, the default."""
    for owner in owners:
        template = owner.chat_template
        if isinstance(template, Mapping):
            template = template.get("default")
        if template:
            return str(template)
    return None


def frame(tokenizer: Any, template: str, messages: Sequence[Message], folder: Path) -> str:
    """Write messages by a chat template, up to where the model answers.

    Thinking is switched off where the template can. A template that knows no system message gets what it says
    at the head of the user's.

    Args:
        tokenizer: whose special tokens the template may name.
        template: in Jinja.
        messages: contents are texts, or parts, as the template takes them.
        folder: of the checkpoint, for people.

    Raises:
        CheckpointError: The template refuses the messages.
    """
    switches = {name: False for name in _THINKING_SWITCHES if _names(template, name)}

    def render(turns: Sequence[Message]) -> str:
        text: str = tokenizer.apply_chat_template(
            turns, chat_template=template, tokenize=False, add_generation_prompt=True, **switches
        )
        return text

    try:
        return render(messages)
    except (TemplateError, TypeError) as error:
        if messages[0]["role"] != "system":
            raise CheckpointError(f"The chat template in {folder} cannot be used: {error}") from error
    return frame(tokenizer, template, _without_system(messages), folder)


def _names(template: str, variable: str) -> bool:
    return re.search(rf"(?<![\w.'\"]){variable}(?![\w'\"])", template) is not None


def _without_system(messages: Sequence[Message]) -> list[Message]:
    system, first, *others = messages
    said = system["content"], first["content"]
    joined = "\n\n".join(said) if all(isinstance(one, str) for one in said) else [*said[0], *said[1]]
    return [{"role": "user", "content": joined}, *others]
