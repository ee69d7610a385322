"""Annotation steps: what is found out about rows, or written to them, before the gates see them."""

from blip_core.annotating.annotate import annotate, prepare, require_rows
from blip_core.annotating.attributes import agreement
from blip_core.annotating.step import STAGE, Context, Facts, Models, Port, Step, Worked, part, refuse
from blip_core.annotating.steps import plugged_step, shipped_steps, step_of

__all__ = [
    "STAGE",
    "Context",
    "Facts",
    "Models",
    "Port",
    "Step",
    "Worked",
    "agreement",
    "annotate",
    "part",
    "plugged_step",
    "prepare",
    "refuse",
    "require_rows",
    "shipped_steps",
    "step_of",
]
