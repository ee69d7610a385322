"""100,000 rows through the smallest model: memory after the first thousand, and how it grows from there."""

import os
import sys
import time

from blip_core.inference import InferenceCounts
from blip_core.inference.loaded import LoadedModel
from blip_core.modeling import load_blip2
from blip_core.records import Prediction
from blip_core.store import iter_rows
from tasks.predict_variant import FILE, answer_in_shards, what_it_took
from tests.campaigns.inference.rows import MemoryOverRows, resident_mib, stream_rows

ROWS = int(os.environ.get("ROWS") or 100_000)
EVERY = 1000
PICTURE_PX = 16
MAX_GROWTH_MIB = 200


def test_memory_stays_flat_whatever_the_number_of_rows(
    monkeypatch, tmp_path, tiny_blip2, inference_settings, capsys
):
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path))
    settings = inference_settings.model_copy(update={"batch_size": 64})
    answering = LoadedModel(load_blip2(tiny_blip2("t5")), None, "whole")
    rows = MemoryOverRows(stream_rows(ROWS, PICTURE_PX), EVERY)
    started = time.perf_counter()

    shards = answer_in_shards("campaign", "tiny", rows, settings, lambda: answering, total=ROWS)

    seconds = time.perf_counter() - started
    answered = sum(1 for shard in shards for _ in iter_rows(shard.path / FILE, Prediction))
    counts = InferenceCounts.from_row(what_it_took(shards)["counts"])
    told = (
        f"\n{answered:,} rows in {seconds:,.0f} s ({answered / seconds:,.0f} a second), "
        f"{counts.padded_share:.1%} of the tokens pads; resident memory {rows.noted[0]:,.0f} MiB "
        f"after {EVERY:,} rows, at the most {rows.growth_mib:,.0f} MiB more later, {resident_mib():,.0f} at "
        "the end\n"
    )
    with capsys.disabled():
        sys.stdout.write(told)
    assert answered == ROWS
    assert rows.growth_mib < MAX_GROWTH_MIB
