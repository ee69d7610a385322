"""The page of a fine-tuning benchmark, from its results."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.benchmarks.processors import ENTRIES, ORIGIN, Entry, is_whole, kind_of, lowest, spread_words


def page(results: Mapping[str, Any]) -> str:
    """Markdown of all that the results hold."""
    parts = ["# Fine-tuning against the sources' loop", ""]
    parts += ["Written by `make bench-finetune`, from [finetune.json](finetune.json).", ""]
    entries = results.get(ENTRIES, ())
    if entries:
        parts += _ratios(entries)
    for entry in filter(is_whole, entries):
        parts += _on_cpu(entry)
    return "\n".join([*parts, *_on_gpu(results.get("gpu"))])


def _ratios(entries: Sequence[Entry]) -> list[str]:
    least, published = lowest(entries, "ratio_cpu"), lowest(entries, "ratio_cpu_published_shares")
    rows = [
        (
            f"{kind_of(one)}{'' if is_whole(one) else '; ' + one[ORIGIN]}",
            f"{one['ratio_cpu']['median']} ({spread_words(one['ratio_cpu'])})",
            one["ratio_cpu_published_shares"]["median"],
        )
        for one in entries
    ]
    return [
        f"**{least['median']} times** the samples a CPU second on the kind of processor that gains least, "
        f"{published['median']} times in the proportions of the published flan-t5-xl.",
        "",
        *table(("processor", "ratio (spread of the pairs)", "published proportions"), rows),
        "",
        WHY_THEY_DIFFER,
        "",
    ]


WHY_THEY_DIFFER = (
    "Processors differ because a part of what is gained is products through oneDNN in place of torch's own "
    "library, which is slow on some processors: on a core of an AMD EPYC it reaches less than half of "
    "oneDNN's speed ([decision 10](../decisions/0010-products-on-a-cpu.md)). Where it is quicker, there is "
    "less to gain."
)


def _on_cpu(results: Entry) -> list[str]:
    ratio, method, equal = results["ratio_cpu"], results["method"], results["equal_losses"]
    shares = results["ratio_cpu_published_shares"]
    rate = results["samples_per_cpu_second"]
    figures = [
        ("samples a CPU second", rate["ours"], rate["oracle"]),
        ("pictures through the vision tower", results["vision_forwards"], results["oracle_vision_forwards"]),
        ("pads among all tokens", percent(results["padded_share"]), percent(results["oracle_padded_share"])),
    ]
    return [
        f"## {kind_of(results)}",
        "",
        f"**{ratio['median']} times** the samples a CPU second (median of {ratio['pairs']} pairs, "
        f"{spread_words(ratio)}), over {method['epochs']} epochs of {method['rows']} rows about "
        f"{method['pictures']} pictures.",
        "",
        *table(("", "ours", "the sources' loop"), figures),
        "",
        f"- **Model:** {method['model']}; adapter: {method['adapter']}.",
        f"- **Ours:** {method['ours']}.",
        f"- **The sources' loop:** {method['oracle']}.",
        f"- **Same result first:** at {equal['batch_size']} rows a batch on both sides, without dropout, the "
        f"losses of {equal['steps']} steps differ by at most {equal['largest_relative_difference']:g} of "
        f"their size (allowed: {equal['tolerance']:g}).",
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
        f"**{shares['median']}** ({spread_words(shares)}, {shares['pairs']} pairs).",
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
        f"{machine['capability']}; {versions}.{_products(results)}"
    )


def _products(results: Entry) -> str:
    """How fast products are on this kind of processor, where that was measured."""
    speed = results.get("product_gflops")
    if not speed:
        return ""
    return (
        f" Large float32 products on one thread: {speed['own']:g} GFLOP/s by torch's own library, "
        f"{speed['onednn']:g} by oneDNN."
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
