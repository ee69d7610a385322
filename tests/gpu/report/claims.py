"""What the project claims of a GPU before it has seen one; what is measured is held against it."""

from typing import Any

SMALL_CARD_GB = 6.0
"""Peak of a training step of 8 rows of 128 tokens, activations computed twice."""

PLAN_TOLERANCE = 0.15
"""How far `foundry plan` may be from a measured peak, as a share of the peak."""

NF4_DISTANCE = 0.02
"""Between the logits of an NF4 model and of its dequantised twin, relative to their size."""

AGREEING_SHARE = 0.995
"""Of letters in bfloat16 and float32, where float32 is sure of its own."""

FEATURE_DISTANCE = 5e-3
"""Between what two devices see in a picture. A GPU convolves the patches in TF32, whose products are right to
2^-11, or 5e-4; ten times as much is allowed after the tower's layers."""

LOSS_DISTANCE = 1e-2
"""Between the losses of the same steps on two devices, relative to their size: Adam divides by what small
gradients are, and so enlarges their last bits."""

CHANCE_DISTANCE = 5e-3
"""Between the letters' probabilities that one adapter gives on two devices."""


def at_most(what: str, value: float, allowed: float) -> dict[str, Any]:
    """A claim that a value stays below a bound."""
    return {"what": what, "value": value, "allowed": f"<= {allowed:g}", "holds": value <= allowed}


def at_least(what: str, value: float, allowed: float) -> dict[str, Any]:
    """A claim that a value reaches a bound."""
    return {"what": what, "value": value, "allowed": f">= {allowed:g}", "holds": value >= allowed}
