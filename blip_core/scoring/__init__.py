"""Scores: one metric a file, and the statistics that compare two variants."""

from blip_core.scoring.accuracy import Accuracy, accuracy
from blip_core.scoring.breakdown import LetterScore, by_category, by_kind, per_letter
from blip_core.scoring.calibration import Bin, Calibration, calibration
from blip_core.scoring.captions import Caption, CaptionScores, caption_scores
from blip_core.scoring.champion import Decision, decide
from blip_core.scoring.circular import averaged_accuracy, circular_accuracy
from blip_core.scoring.comparison import Comparison, compare, verdict
from blip_core.scoring.correction import holm
from blip_core.scoring.findings import Finding, find
from blip_core.scoring.free_generation import FreeGeneration, free_generation, invalid_rate
from blip_core.scoring.guessing import Guessing, guessing
from blip_core.scoring.judging import Judgement, judge_run
from blip_core.scoring.main_measure import BY_LETTER, Ranking, main_measure, main_score, ranking_of
from blip_core.scoring.modes import by_mode, compare_modes
from blip_core.scoring.power import questions_needed
from blip_core.scoring.summary import compare_ablations, compare_pairs, score, score_captions
from blip_core.scoring.texts import score_texts

__all__ = [
    "BY_LETTER",
    "Accuracy",
    "Bin",
    "Calibration",
    "Caption",
    "CaptionScores",
    "Comparison",
    "Decision",
    "Finding",
    "FreeGeneration",
    "Guessing",
    "Judgement",
    "LetterScore",
    "Ranking",
    "accuracy",
    "averaged_accuracy",
    "by_category",
    "by_kind",
    "by_mode",
    "calibration",
    "caption_scores",
    "circular_accuracy",
    "compare",
    "compare_ablations",
    "compare_modes",
    "compare_pairs",
    "decide",
    "find",
    "free_generation",
    "guessing",
    "holm",
    "invalid_rate",
    "judge_run",
    "main_measure",
    "main_score",
    "per_letter",
    "questions_needed",
    "ranking_of",
    "score",
    "score_captions",
    "score_texts",
    "verdict",
]
