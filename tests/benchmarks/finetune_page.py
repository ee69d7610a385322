"""The page of a fine-tuning benchmark, from its results."""

from collections.abc import Mapping, Sequence
from typing import Any


def page(results: Mapping[str, Any]) -> str:
    """Markdown of all that the results hold."""
    parts = ["# Fine-tuning against the sources' loop", ""]
    parts += ["Written by `make bench-finetune`, from [finetune.json](finetune.json).", ""]
    if "ratio_cpu" in results:
        parts += _on_cpu(results)
    return "\n".join([*parts, *_on_gpu(results.get("gpu"))])


def _on_cpu(results: Mapping[str, Any]) -> list[str]:
    ratio, method, equal = results["ratio_cpu"], results["method"], results["equal_losses"]
    shares = results["ratio_cpu_published_shares"]
    rate = results["samples_per_cpu_second"]
    figures = [
        ("samples a CPU second", rate["ours"], rate["oracle"]),
        ("pictures through the vision tower", results["vision_forwards"], results["oracle_vision_forwards"]),
        ("pads among all tokens", percent(results["padded_share"]), percent(results["oracle_padded_share"])),
    ]
    return [
        f"**{ratio['median']} times** the samples a CPU second (median of {ratio['pairs']} pairs, "
        f"{ratio['low']} to {ratio['high']}), over {method['epochs']} epochs of {method['rows']} rows about "
        f"{method['pictures']} pictures.",
        "",
        *table(("", "ours", "the sources' loop"), figures),
        "",
        f"- **Model:** {method['model']}; adapter: {method['adapter']}.",
        f"- **Ours:** {method['ours']}.",
        f"- **The sources' loop:** {method['oracle']}.",
        f"- **Same result first:** at {equal['batch_size']} rows a batch on both sides, without dropout, the "
        f"losses of {equal['steps']} steps differ by {equal['largest_relative_difference']:g} of their size "
        f"at the most (allowed: {equal['tolerance']:g}).",
        f"- **Time:** {method['time']}.",
        machine_line(results),
        "",
        "Where it comes from:",
        "",
        *table(("", "ratio"), [(rung["what"], rung["ratio_cpu"]) for rung in results["ablation"]]),
        "",
        "Most of what is saved is the vision tower, so the ratio follows its share of the work. In this "
        "model it holds two thirds of the weights and is most of the work. Where it holds a quarter, as in "
        "the published flan-t5-xl, the ratio is "
        f"**{shares['median']}** ({shares['low']} to {shares['high']}, {shares['pairs']} pairs).",
        "",
    ]


def _on_gpu(gpu: Mapping[str, Any] | None) -> list[str]:
    if gpu is None:
        return ["On a GPU: not measured yet; `python -m tests.benchmarks.finetune --gpu` does it.", ""]
    rows = [(stage["what"], *(shown(stage.get(name)) for name in _GPU_COLUMNS)) for stage in gpu["stages"]]
    return [
        f"On a GPU ({gpu['device']}), BLIP-2 {gpu['size']} with random weights, {gpu['quantisation']}:",
        "",
        *table(("", "samples/s", "tokens/s", "share of peak", "peak GB"), rows),
        "",
        f"Peak: {gpu['matmul_tflops']:g} TFLOP/s, measured by products of square bfloat16 matrices.",
        "",
    ]


_GPU_COLUMNS = ("samples_per_second", "tokens_per_second", "share_of_peak", "peak_gb")


def machine_line(results: Mapping[str, Any]) -> str:
    """What it was measured on, as an item of a list."""
    machine = results["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in results["versions"].items())
    return (
        f"- **Machine:** {machine['cpu']}, {machine['cores']} cores, {machine['threads']} used, "
        f"{machine['capability']}; {versions}."
    )


def shown(value: object) -> str:
    """A figure for a table; nothing where there is none."""
    return "" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def percent(share: float) -> str:
    """A share for people."""
    return f"{100 * share:.1f} %"


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> list[str]:
    """A Markdown table; all columns but the first to the right."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return ["| " + " | ".join(str(cell) for cell in line) + " |" for line in lines]
