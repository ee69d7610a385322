"""What a run would take: parameters, memory, time and disk, before anything is downloaded."""

from blip_core.planning.plan import Plan, make_plan
from blip_core.planning.rates import Rate, rates_here, read_rates
from blip_core.planning.scaling import GPU_HOUR_PRICE, Scaled, scale
from blip_core.planning.scaling_tables import show_scaled
from blip_core.planning.tables import show
from blip_core.planning.timing import Timing

__all__ = [
    "GPU_HOUR_PRICE",
    "Plan",
    "Rate",
    "Scaled",
    "Timing",
    "make_plan",
    "rates_here",
    "read_rates",
    "scale",
    "show",
    "show_scaled",
]
