"""What importing a package may load."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "transformers", "peft", "diffusers", "bitsandbytes", "accelerate", "datasets", "mlflow")
_PROBE = "import sys, {module}; print(*sorted(sys.modules.keys() & set({forbidden!r})))"


def _loaded(module, forbidden):
    probe = _PROBE.format(module=module, forbidden=list(forbidden))
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("module", ["flows", "flows.cli.app", "tasks", "blip_core.recipes"])
def test_starting_loads_no_torch_and_no_mlflow(module):
    assert _loaded(module, HEAVY) == []


@pytest.mark.parametrize(
    "module",
    ["errors", "records", "recipes", "ports", "scenes", "painting", "labelling", "scoring"],
)
def test_pure_rooms_load_neither_models_nor_prefect(module):
    assert _loaded(f"blip_core.{module}", (*HEAVY, "prefect")) == []
