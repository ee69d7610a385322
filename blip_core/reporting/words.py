"""What came of a stage, in a few words."""

from collections.abc import Callable, Mapping
from typing import Any

from blip_core.kinds import kind_of
from blip_core.records import WITH_OPTIONS

_SHOWN_REASONS = 3
_SURPLUS = "surplus"  # beyond what was asked for: nothing is wrong with it

Told = Mapping[str, Any]


def stage_words(stage: str, told: Told) -> str:
    """Say what came of a stage from what it told of itself; `told` has `rows` at least."""
    name = stage.split(maxsplit=1)[0]
    words = _WORDS.get(name, _rows)
    return words(told)


def stage_line(stage: str, seconds: float, cached: bool, told: Told) -> str:
    """One line on a stage that is over: what came of it, and its seconds or that it lay there already."""
    words = stage_words(stage, {**told, "seconds": seconds, "cached": cached})
    return f"{stage}: {words} ({'cached' if cached else f'{seconds:.1f} s'})"


def epoch_words(epoch: float, epochs: float, metrics: Mapping[str, float]) -> str:
    """How an epoch went, such as `epoch 2 of 5: loss 0.412, validation loss 0.398`."""
    told = [f"{name.replace('_', ' ').replace('/', ' ')} {value:.3f}" for name, value in metrics.items()]
    return f"epoch {epoch:g} of {epochs:g}: {', '.join(told) or 'no step counted'}"


def loss_words(told: Told) -> str:
    """How the loss went, such as `loss 2.00 to 0.50 in 120 steps`; empty where it is not known."""
    if told.get("first_loss") is None:
        return ""
    return f"loss {told['first_loss']:.2f} to {told['last_loss']:.2f} in {told['steps']:,} steps"


def cost_words(told: Told) -> str:
    """What a server was asked: `120 requests (3 repeated), 9,000 + 4,100 tokens`; empty without one."""
    costs = told.get("costs")
    if not costs:
        return ""
    repeated = f" ({costs['repeated']:,} repeated)" if costs["repeated"] else ""
    cut = f", {costs['cut']:,} answers cut" if costs["cut"] else ""
    tokens = f"{costs['prompt_tokens']:,} + {costs['written_tokens']:,} tokens"
    return f"{costs['requests']:,} requests{repeated}, {tokens}{cut}"


def cost_metrics(told: Told) -> dict[str, float]:
    """What a server was asked, under the names that runs are compared by; empty without one."""
    return {f"stage/server_{name}": float(value) for name, value in (told.get("costs") or {}).items()}


def progress_unit(stage: str) -> str:
    """What a stage counts while it runs; empty where it counts a handful of dissimilar things."""
    return _UNITS.get(stage.split(maxsplit=1)[0], "")


def share_words(part: float) -> str:
    """A share between 0 and 1 as per cent with one decimal."""
    return f"{100 * part:.1f} %"


def p_words(p_value: float) -> str:
    """A p-value with three decimals, or `< 0.001`."""
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def reasons_words(refused: Mapping[str, int]) -> str:
    """Counts by reason, the commonest first, such as `12 duplicate, 3 blank`."""
    ranked = sorted(refused.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{count} {reason}" for reason, count in ranked[:_SHOWN_REASONS]]
    hidden = sum(count for _, count in ranked[_SHOWN_REASONS:])
    return ", ".join([*shown, f"{hidden} other"] if hidden else shown)


def _rows(told: Told) -> str:
    return f"{told['rows']:,} rows"


def _of_asked(noun: str) -> Callable[[Told], str]:
    def words(told: Told) -> str:
        asked = told.get("asked", told["rows"])
        costs = cost_words(told)
        paid = f"; {costs}" if costs else ""
        return (
            f"{told['rows']:,} {noun} of {asked:,} asked{_refused(told)}{_agreed(told)}{_noted(told)}{paid}"
        )

    return words


def _agreed(told: Told) -> str:
    """How often a step found what rows knew before."""
    shares = (f"{name} {share_words(share)}" for name, (share, _) in told.get("agreement", {}).items())
    found = ", ".join(shares)
    return f"; right where it is known: {found}" if found else ""


def _dataset(told: Told) -> str:
    splits = ", ".join(f"{name} {count:,}" for name, count in told.get("splits", {}).items())
    rejected = reasons_words(told.get("rejected", {}))
    return splits + (f"; refused {rejected}" if rejected else "") + _noted(told)


def _finetune(told: Told) -> str:
    loss, counts = loss_words(told), told.get("counts", {})
    if not loss:
        return _rows(told)
    notes = [loss]
    notes += [f"{told['trainable']:,} weights"] if "trainable" in told else []
    notes += [f"{share_words(counts['padded_share'])} padding"] if "padded_share" in counts else []
    notes += [text.format(counts[name]) for name, text in _TRAINING_NOTES.items() if counts.get(name)]
    return "; ".join(notes)


def _predict(told: Told) -> str:
    seconds = told.get("seconds")
    rate = f", {told['rows'] / seconds:.0f} a second" if seconds and not told.get("cached") else ""
    odd = reasons_words(told.get("oddities", {}))
    done = kind_of(told.get("task", WITH_OPTIONS)).done
    joined = ", ".join(f"{rows} by {name}" for name, rows in told.get("joined", {}).items())
    answered = f"{told['rows']:,} {done}{f' ({joined})' if joined else rate}{_noted(told)}"
    remarks = [f"the server {remark.rstrip('.')}" for remark in told.get("remarks", ())]
    return "; ".join([answered, *([odd] if odd else []), *remarks])


def _compare(told: Told) -> str:
    return f"{told['rows']} variants scored"


def _refused(told: Told) -> str:
    refused = told.get("refused", 0)
    if isinstance(refused, Mapping):
        reasons = reasons_words({reason: count for reason, count in refused.items() if reason != _SURPLUS})
        return f"; refused {reasons}" if reasons else ""
    return f"; {refused:,} refused" if refused else ""


def _noted(told: Told) -> str:
    """What is odd about rows that were read, and what was not looked at."""
    counts = {"": told.get("flagged") or {}, "left out ": told.get("left_out") or {}}
    return "".join(f"; {intro}{reasons_words(found)}" for intro, found in counts.items() if found)


# Told where it happened.
_TRAINING_NOTES: Mapping[str, str] = {
    "cut_texts": "cut texts {:,}",
    "quarantined": "rows left out {:,}",
    "skipped_steps": "skipped steps {:,}",
    "resumed_at": "resumed at step {:,}",
    "stopped_early": "stopped early",
}

_UNITS: Mapping[str, str] = {
    "scenes": "scenes",
    "pictures": "pictures",
    "labels": "pictures",
    "annotate": "rows",
    "finetune": "steps",
    "predict": "rows",
}

_WORDS: Mapping[str, Callable[[Told], str]] = {
    "scenes": _of_asked("scenes"),
    "pictures": _of_asked("pictures"),
    "labels": _of_asked("labels"),
    "rows": _of_asked("rows"),
    "annotate": _of_asked("rows"),
    "dataset": _dataset,
    "mix": _dataset,
    "finetune": _finetune,
    "predict": _predict,
    "compare": _compare,
}
