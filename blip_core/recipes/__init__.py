"""Recipes: what is made and learnt; profiles: with which checkpoints and on what hardware."""

from blip_core.recipes.annotations import (
    LABELLER,
    Annotation,
    Ask,
    Attributes,
    Bank,
    Continue,
    Draft,
    Match,
    PluginStep,
    QuestionTemplate,
    Repair,
    Review,
    Translate,
)
from blip_core.recipes.base import Quantisation, Section
from blip_core.recipes.checkpoint import POCKET_MODELS, Checkpoint, Dtype
from blip_core.recipes.curation import BlankPictures, Curation, ExactDuplicates, LetterBalance, NearDuplicates
from blip_core.recipes.curation_of_texts import Lengths
from blip_core.recipes.dataset import Dataset
from blip_core.recipes.device import Device
from blip_core.recipes.evaluation import (
    BundledEvaluation,
    Evaluation,
    NativeEvaluation,
    SplitEvaluation,
    TableEvaluation,
)
from blip_core.recipes.explaining import field_names
from blip_core.recipes.findings import Finding
from blip_core.recipes.finetune import Adapter, AdapterPreset, Finetune
from blip_core.recipes.inference import Inference
from blip_core.recipes.labels import Labels
from blip_core.recipes.loader import (
    DEFAULT_PROFILE,
    load_recipe,
    profile_names,
    recipe_names,
    recipe_text,
    show_recipe,
)
from blip_core.recipes.native import NativeFiles
from blip_core.recipes.parts import Part, settings_of
from blip_core.recipes.phases import BASE, OWN, WHOLE, Phase
from blip_core.recipes.pictures import Pictures
from blip_core.recipes.recipe import SCHEMA_VERSION, Recipe, SectionsDigest
from blip_core.recipes.scenes import Category, Scenes
from blip_core.recipes.server import ServedModel, Server, TextModel, loaded_here
from blip_core.recipes.source import (
    FolderSource,
    NativeSource,
    NoSource,
    PluginSource,
    PromptsSource,
    Source,
    TableSource,
    WorldSource,
)
from blip_core.recipes.tracking import Tracking
from blip_core.recipes.variants import (
    AnsweringVariant,
    AnyVariant,
    CrossFitVariant,
    Published,
    ServerVariant,
    Variant,
)

__all__ = [
    "BASE",
    "DEFAULT_PROFILE",
    "LABELLER",
    "OWN",
    "POCKET_MODELS",
    "SCHEMA_VERSION",
    "WHOLE",
    "Adapter",
    "AdapterPreset",
    "Annotation",
    "AnsweringVariant",
    "AnyVariant",
    "Ask",
    "Attributes",
    "Bank",
    "BlankPictures",
    "BundledEvaluation",
    "Category",
    "Checkpoint",
    "Continue",
    "CrossFitVariant",
    "Curation",
    "Dataset",
    "Device",
    "Draft",
    "Dtype",
    "Evaluation",
    "ExactDuplicates",
    "Finding",
    "Finetune",
    "FolderSource",
    "Inference",
    "Labels",
    "Lengths",
    "LetterBalance",
    "Match",
    "NativeEvaluation",
    "NativeFiles",
    "NativeSource",
    "NearDuplicates",
    "NoSource",
    "Part",
    "Phase",
    "Pictures",
    "PluginSource",
    "PluginStep",
    "PromptsSource",
    "Published",
    "Quantisation",
    "QuestionTemplate",
    "Recipe",
    "Repair",
    "Review",
    "Scenes",
    "Section",
    "SectionsDigest",
    "ServedModel",
    "Server",
    "ServerVariant",
    "Source",
    "SplitEvaluation",
    "TableEvaluation",
    "TableSource",
    "TextModel",
    "Tracking",
    "Translate",
    "Variant",
    "WorldSource",
    "field_names",
    "load_recipe",
    "loaded_here",
    "profile_names",
    "recipe_names",
    "recipe_text",
    "settings_of",
    "show_recipe",
]
