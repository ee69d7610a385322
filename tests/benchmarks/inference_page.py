"""The page of an inference benchmark, from its results."""

from collections.abc import Mapping, Sequence
from typing import Any

from tests.benchmarks.finetune_page import WHY_THEY_DIFFER, machine_line, percent, shown, table
from tests.benchmarks.processors import ENTRIES, Entry, is_whole, kind_of, lowest


def page(results: Mapping[str, Any]) -> str:
    """Markdown of all that the results hold."""
    parts = ["# Answering against the row-by-row way", ""]
    parts += ["Written by `make bench-inference`, from [inference.json](inference.json).", ""]
    entries = results.get(ENTRIES, ())
    if entries:
        parts += _ratios(entries)
    for entry in filter(is_whole, entries):
        parts += _on_cpu(entry)
    return "\n".join([*parts, *_on_gpu(results.get("gpu"))])


def _ratios(entries: Sequence[Entry]) -> list[str]:
    cases = list(dict.fromkeys(case for one in entries for case in one["ratio_cpu"]))
    rows = [
        (kind_of(one), *(one["ratio_cpu"].get(case, {}).get("median", "") for case in cases))
        for one in entries
    ]
    least = ("the lowest", *(f"**{lowest(entries, 'ratio_cpu', case)['median']}**" for case in cases))
    return [
        "Times the rows a CPU second, by kind of processor and by model and questions a picture:",
        "",
        *table(("processor", *cases), [*rows, least]),
        "",
        WHY_THEY_DIFFER,
        "",
    ]


def _on_cpu(results: Entry) -> list[str]:
    method, ragged, counts = results["method"], results["ratio_cpu_ragged"], results["counts"]
    sizes = results["ratio_cpu"] | results["ratio_cpu_large_tower"]
    rows = [
        (
            name,
            f"**{one['median']}**",
            f"{one['low']} to {one['high']}",
            one["rows_per_cpu_second"]["ours"],
            one["rows_per_cpu_second"]["oracle"],
            f"{counts[name]['vision_forwards']} for {counts[name]['rows']} rows",
            percent(counts[name]["padded_share"]),
            _share_of_products(results, name, one),
        )
        for name, one in sizes.items()
    ]
    heads = (
        "model and questions a picture",
        "ratio",
        "spread",
        "rows/s, ours",
        "row by row",
        "pictures",
        "pads",
        "of oneDNN's speed",
    )
    outputs = ", ".join(
        f"{name.replace('_', ' ')}: {'equal' if equal else 'DIFFERENT'}"
        for name, equal in results["equal_outputs"].items()
    )
    rungs = [(rung["what"], rung["ratio_cpu"]) for rung in results["ablation"]["ladder"]]
    return [
        f"## {kind_of(results)}",
        "",
        *table(heads, rows),
        "",
        f"- **Same outputs first:** {outputs}.",
        "- **Large tower:** there the vision tower holds more than half of the weights, so that encoding is "
        "most of the work; with one question a picture, no more than half of that can be saved.",
        f"- **Stages:** {method['stages']}; stage two takes one step of the decoder.",
        f"- **Row by row:** {method['oracle']}. **Ours:** {method['ours']}.",
        f"- **Model:** {method['model']}. Where they do, after {ragged['written_tokens_per_row']:g} tokens "
        f"on the average, the ratio is {ragged['median']} ({ragged['low']} to {ragged['high']}).",
        f"- **Time:** {method['time']}; median of {ragged['pairs']} pairs.",
        "- **Of oneDNN's speed:** products that our side needs, a CPU second, against those of one large "
        "matrix; what is missing is smaller products, attention and all that is no product.",
        machine_line(results),
        "",
        f"Where it comes from ({results['ablation']['case']}, each rung with all those above it):",
        "",
        *table(("", "ratio"), rungs),
        "",
    ]


def _share_of_products(results: Entry, name: str, one: Mapping[str, Any]) -> str:
    """Products of our side a CPU second, against the speed of large ones; empty where it was not measured."""
    counts, speed = results["counts"][name], results.get("product_gflops")
    if not speed or "product_gflop" not in counts:
        return ""
    seconds = counts["rows"] / one["rows_per_cpu_second"]["ours"]
    return percent(counts["product_gflop"] / seconds / speed["onednn"])


def _on_gpu(gpu: Mapping[str, Any] | None) -> list[str]:
    if gpu is None:
        return ["On a GPU: not measured yet; `python -m tests.benchmarks.inference --gpu` does it.", ""]
    letters = gpu["letters"]
    return [
        f"On a GPU ({gpu['device']}), BLIP-2 of size {gpu['size']} with random weights, {gpu['dtype']}:",
        "",
        *table(
            ("", "rows/s", "peak GB"),
            [(one["what"], shown(one["rows_per_second"]), shown(one["peak_gb"])) for one in gpu["sides"]],
        ),
        "",
        f"Ratio: {gpu['ratio']:g}. Given the same descriptions, letters agree with float32 on "
        f"{percent(letters['agreeing_share'])} of {letters['rows']} rows whose margin exceeds "
        f"{letters['margin_bound']:g}; {len(letters['flips'])} of all rows flip.",
        "",
    ]
