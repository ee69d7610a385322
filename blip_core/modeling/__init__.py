"""BLIP-2 and InstructBLIP: loading, partial quantisation, LoRA, frozen features, parameter accounts."""

from blip_core.modeling.accounts import ParameterAccount, account_parameters, trained_parameters
from blip_core.modeling.adapter_targets import (
    check_adapter,
    check_adapter_fits,
    targeted_linears,
    tunes_vision_tower,
)
from blip_core.modeling.adapters import (
    attach_adapter,
    check_adapter_folder,
    load_adapter,
    lora_config,
    save_adapter,
)
from blip_core.modeling.checkpoints import check_checkpoint_folder, locate
from blip_core.modeling.loading import Blip2Bundle, load_blip2
from blip_core.modeling.manifest import ModuleDtype, dtype_manifest, dtype_table

__all__ = [
    "Blip2Bundle",
    "ModuleDtype",
    "ParameterAccount",
    "account_parameters",
    "attach_adapter",
    "check_adapter",
    "check_adapter_fits",
    "check_adapter_folder",
    "check_checkpoint_folder",
    "dtype_manifest",
    "dtype_table",
    "load_adapter",
    "load_blip2",
    "locate",
    "lora_config",
    "save_adapter",
    "targeted_linears",
    "trained_parameters",
    "tunes_vision_tower",
]
