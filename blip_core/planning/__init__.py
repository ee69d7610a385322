"""What a run would take: parameters, memory, time and disk, before anything is downloaded."""

from blip_core.planning.plan import Plan, make_plan
from blip_core.planning.rates import Rate, rates_here, read_rates
from blip_core.planning.tables import show
from blip_core.planning.timing import Timing

__all__ = ["Plan", "Rate", "Timing", "make_plan", "rates_here", "read_rates", "show"]
