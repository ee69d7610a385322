"""The turns of ChatML, as the templates of Qwen, InternVL and others write them, and their special tokens."""

SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]


def template(picture: str, *, thinks: bool = False) -> str:
    """A chat template of ChatML.

    Args:
        picture: what stands for a picture in a message.
        thinks: whether the model thinks first unless `enable_thinking` says no, as Qwen3 does.
    """
    no_thoughts = (
        "{% if enable_thinking is defined and enable_thinking is false %}"
        "{{ '<think>\n\n</think>\n\n' }}{% endif %}"
    )
    return (
        "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
        "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
        "{% for part in message['content'] %}{% if part['type'] == 'image' %}{{ '" + picture + "' }}"
        "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}{{ '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
        + (no_thoughts if thinks else "")
        + "{% endif %}"
    )
