"""What importing a package may load."""

import subprocess
import sys

HEAVY = ("torch", "transformers", "peft", "diffusers", "bitsandbytes", "accelerate", "datasets", "mlflow")
_PROBE = "import sys, {modules}; print(*sorted(sys.modules.keys() & set({forbidden!r})))"


def _loaded(modules, forbidden):
    probe = _PROBE.format(modules=", ".join(modules), forbidden=list(forbidden))
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_starting_loads_no_torch_and_no_mlflow():
    assert _loaded(["flows", "flows.cli.app", "tasks", "blip_core.recipes"], HEAVY) == []


def test_pure_rooms_load_neither_models_nor_prefect():
    rooms = ("errors", "records", "recipes", "ports", "scenes", "painting", "labelling", "scoring")
    assert _loaded([f"blip_core.{room}" for room in rooms], (*HEAVY, "prefect")) == []


def test_a_variant_behind_a_server_is_answered_without_torch():
    far = "ServerVariant(name='far', role='server', url='http://127.0.0.1:1/v1', served_model='m')"
    named = "blip_core.wiring; from blip_core.recipes import ServerVariant"
    loads = f"{named}; blip_core.wiring.load_libraries({far})"
    assert _loaded([loads], ("torch", "transformers")) == []
