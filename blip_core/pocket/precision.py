"""The type in which the pocket family is trained."""

import torch

_BFLOAT16 = ("avx512_bf16", "amx_bf16", "bf16")  # what torch calls the instructions that multiply it


def fast_precision() -> torch.autocast:
    """bfloat16 where the processor multiplies it; elsewhere float32, which torch would be 7 to 45 times
    slower to imitate it in.
    """
    capabilities = torch.cpu.get_capabilities()
    return torch.autocast("cpu", torch.bfloat16, enabled=any(capabilities.get(name) for name in _BFLOAT16))
