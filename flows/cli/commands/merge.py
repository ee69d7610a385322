"""`foundry merge`: an adapter becomes part of a dense checkpoint."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from blip_core import strict_json
from flows.cli.commands.options import AsJson, only_json

Dtype = Literal["float32", "bfloat16", "float16"]

AdapterName = Annotated[
    str,
    typer.Argument(
        metavar="ADAPTER",
        help="Digest of an adapter in the store, or the beginning of it; or the folder of a PEFT adapter.",
    ),
]
OutFolder = Annotated[Path, typer.Argument(metavar="OUT", help="Folder to make; it must be new or empty.")]
WeightType = Annotated[
    Dtype,
    typer.Option("--dtype", help="Type of all weights; merging is done in float32 and rounded last."),
]


def merge(
    adapter: AdapterName, out: OutFolder, dtype: WeightType = "float32", as_json: AsJson = False
) -> None:
    """Merge an adapter into its base: a dense checkpoint with its processor, which needs transformers alone.

    The base must be on this machine. Logits are compared before and after. OUT appears whole or not at all.

    Example: foundry merge f4ab89c9 merged
    """
    if as_json:
        with only_json() as output:
            output.write(strict_json.dumps(_merge(adapter, out, dtype)) + "\n")
        return
    told = _merge(adapter, out, dtype)
    typer.echo(
        f"{told['folder']}: {told['base']} with the adapter merged in, {told['parameters']:,} parameters in "
        f"{told['dtype']}; merging moved logits by {told['difference']:.1g} of the largest one, rounding by "
        f"{told['rounding']:.1g}"
    )


def _merge(adapter: str, out: Path, dtype: Dtype) -> dict[str, Any]:
    from blip_core.wiring import locate_checkpoint, prepare_environment, workplace

    prepare_environment(workplace())
    from flows.variants.named_adapter import named_adapter

    found = named_adapter(adapter)
    from blip_core.modeling.merging import adapter_base, merge_adapter
    from blip_core.store.out_folder import check_empty

    target = out.expanduser().absolute()
    check_empty(target)
    base = adapter_base(found.folder)
    folder = locate_checkpoint(base)
    typer.echo(f"Merging {found.folder} into {folder} in float32, in main memory.", err=True)
    merged = merge_adapter(found.folder, base, folder, target, dtype)
    return asdict(merged) | {"folder": str(merged.folder)}
