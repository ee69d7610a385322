"""Figures from plain rows: the picture sheet, the loss curve and the ladder of scores."""

from blip_core.figures.plots import CHANCE, PROBE, Points, Score, ladder, loss_curve
from blip_core.figures.sheets import contact_sheet
from blip_core.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, dress, new_axes, new_figure, save

__all__ = [
    "BLUE",
    "CHANCE",
    "GREEN",
    "GREY",
    "INK",
    "ORANGE",
    "PROBE",
    "PURPLE",
    "Points",
    "Score",
    "contact_sheet",
    "dress",
    "ladder",
    "loss_curve",
    "new_axes",
    "new_figure",
    "save",
]
