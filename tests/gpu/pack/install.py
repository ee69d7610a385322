"""`python -m tests.gpu.pack.install`: put the pack into a folder of its own; the image stays as it is.

Needs Python with pip, and no network.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

PACK, INTO = Path("build/gpu-pack"), Path("build/gpu-env")
_LEFT_OUT = ("blip_core.tracking", "blip_core.gathering")  # no MLflow and no web there
_IMPORT = """
import importlib, sys
failed = []
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError as error:
        failed.append(f"{name}: {error}")
print(*failed, sep="\\n")
sys.exit(bool(failed))
"""


def main(arguments: Sequence[str]) -> None:
    """Install, and say what is to be done with it."""
    parser = argparse.ArgumentParser(prog="python -m tests.gpu.pack.install", description=__doc__)
    parser.add_argument(
        "--pack", type=Path, default=PACK, help="folder of wheels, as `make gpu-pack` left it"
    )
    parser.add_argument("--into", type=Path, default=INTO, help="folder to install into")
    parser.add_argument("--check", action="store_true", help="import every module of blip_core")
    asked = parser.parse_args(arguments)
    install(asked.pack, asked.into)
    if asked.check:
        check(asked.into)
    sys.stdout.write(f"Now put it on the path: export PYTHONPATH={asked.into}\n")


def install(pack: Path, into: Path) -> None:
    """Install every wheel of a folder.

    Raises:
        SystemExit: There is none, or pip refuses one.
    """
    wheels = sorted(pack.glob("*.whl"))
    if not wheels:
        sys.exit(f"{pack} holds no wheels; `make gpu-pack` fills it where there is a network")
    command = [sys.executable, "-m", "pip", "--isolated", "install", "--quiet", "--no-index", "--no-deps"]
    command += ["--no-compile", "--no-cache-dir", "--disable-pip-version-check", "--upgrade"]
    done = subprocess.run([*command, "--target", str(into), *map(str, wheels)], check=False)
    if done.returncode != 0:
        sys.exit("pip could not install the pack; what it says stands above")
    sys.stdout.write((pack / "README.md").read_text(encoding="utf-8"))


def check(into: Path) -> None:
    """Import the library with what was installed.

    Raises:
        SystemExit: A module cannot be imported.
    """
    files = (path.with_suffix("") for path in sorted(Path("blip_core").rglob("*.py")))
    dotted = (".".join(path.parts).removesuffix(".__init__") for path in files)
    names = [name for name in dotted if not name.startswith(_LEFT_OUT) and not name.endswith(".__main__")]
    path = os.pathsep.join([str(into), str(Path.cwd())])
    command = [sys.executable, "-c", _IMPORT, *names]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, check=False)
    if done.returncode != 0:
        sys.exit("these modules of blip_core cannot be imported here")
    sys.stdout.write(f"{len(names)} modules of blip_core can be imported\n")


if __name__ == "__main__":
    main(sys.argv[1:])
