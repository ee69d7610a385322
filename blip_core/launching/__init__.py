"""Processes that work on one thing together, through torch's elastic launcher, and die with whoever asked."""

from blip_core.launching.group import run_together

__all__ = ["run_together"]
