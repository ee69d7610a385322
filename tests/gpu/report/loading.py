"""From a card to a folder and back: what writing a checkpoint takes, and loading it as users do."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from blip_core.modeling import Blip2Bundle, load_blip2
from tests.benchmarks import device as on
from tests.benchmarks.gpu_finetune import rounded
from tests.benchmarks.random_blip2 import save_random_blip2
from tests.benchmarks.shapes import SHAPES
from tests.gpu.report.setting import Figures, Setting


def measure(setting: Setting) -> Iterator[Figures]:
    """Write a random checkpoint, load it, and compare it with the one that never was a file."""
    case, device = setting.sizes.tuning, setting.device
    with tempfile.TemporaryDirectory() as name:
        free = shutil.disk_usage(name).free
        if free < setting.sizes.disk_bytes:
            yield {
                "what": "left out: there is too little room for a checkpoint",
                "free_gb": rounded(free / 1e9),
            }
            return
        place = Path(name)
        seconds = on.seconds_on(device, lambda: save_random_blip2(SHAPES[case.size], place, device=device))
        size = sum(file.stat().st_size for file in place.glob("*.safetensors"))
        yield {"what": f"writing {case.size}", "seconds": round(seconds, 1), "gb": rounded(size / 1e9)}
        loaded: list[Blip2Bundle] = []
        with on.peak_memory(device) as peak:
            seconds = on.seconds_on(
                device, lambda: loaded.append(load_blip2(place, case.quantisation, device, case.dtype))
            )
        what = f"loading it, its language model in {case.quantisation}"
        yield {"what": what, "seconds": round(seconds, 1), "peak_gb": rounded(peak.gb)}
        same = _equal(loaded.pop(), case.make())
        yield {"what": "what was loaded is what is made where it runs", "holds": same}


def _equal(one: Blip2Bundle, other: Blip2Bundle) -> bool:
    mine, theirs = one.model.state_dict(), other.model.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)
