"""How many questions a comparison needs before it can tell two variants apart."""

from math import ceil, sqrt

from blip_core.scoring.accuracy import SIGNIFICANCE

POWER = 0.8


def questions_needed(difference: float, discordant: float, power: float = POWER) -> int:
    """Questions after which a difference is found significant (p < 0.05) with a chance of `power`.

    The normal approximation for paired shares (Miettinen 1968; Connor 1987). It takes questions as
    independent: with several about each picture more are needed.

    Args:
        difference: of the two accuracies, above 0 to 1.
        discordant: share of questions that one answers right and the other wrong; at least the difference.
        power: between 0 and 1.

    Raises:
        ValueError: when the shares cannot belong together.
    """
    from scipy.stats import norm

    if not 0 < difference <= discordant <= 1:
        raise ValueError(
            f"difference is {difference} and discordant is {discordant}; "
            "allowed: 0 < difference <= discordant <= 1"
        )
    by_chance = float(norm.ppf(1 - SIGNIFICANCE / 2)) * sqrt(discordant)
    by_difference = float(norm.ppf(power)) * sqrt(discordant - difference**2)
    return ceil(((by_chance + by_difference) / difference) ** 2)
