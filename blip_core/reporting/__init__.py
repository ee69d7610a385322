"""What people read of a run: lines on a terminal, a JSON object, a page."""

from blip_core.reporting.drawings import draw_learning, draw_scores
from blip_core.reporting.findings import show_findings
from blip_core.reporting.html import Report, Sample, render_report, write_report
from blip_core.reporting.labellers import LabellerTables, labeller_tables
from blip_core.reporting.ladder import POCKET_NOTE, Ladder, Rung, from_scores
from blip_core.reporting.ladder_table import show_champion, show_ladder
from blip_core.reporting.published import show_published
from blip_core.reporting.summary import (
    AdapterSummary,
    ChampionSummary,
    ComparisonSummary,
    DatasetSummary,
    GrowthSummary,
    MlflowSummary,
    PhaseSummary,
    ScoresSummary,
    StageSummary,
    Summary,
    VariantSummary,
    findings_of,
    published_of,
    summarise_comparisons,
    summarise_variants,
)
from blip_core.reporting.terminal import Places, StageLines, show_places
from blip_core.reporting.words import stage_words

__all__ = [
    "POCKET_NOTE",
    "AdapterSummary",
    "ChampionSummary",
    "ComparisonSummary",
    "DatasetSummary",
    "GrowthSummary",
    "LabellerTables",
    "Ladder",
    "MlflowSummary",
    "PhaseSummary",
    "Places",
    "Report",
    "Rung",
    "Sample",
    "ScoresSummary",
    "StageLines",
    "StageSummary",
    "Summary",
    "VariantSummary",
    "draw_learning",
    "draw_scores",
    "findings_of",
    "from_scores",
    "labeller_tables",
    "published_of",
    "render_report",
    "show_champion",
    "show_findings",
    "show_ladder",
    "show_places",
    "show_published",
    "stage_words",
    "summarise_comparisons",
    "summarise_variants",
    "write_report",
]
