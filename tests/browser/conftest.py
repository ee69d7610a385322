"""A real `foundry ui` on free ports, Chromium without a screen, and a folder for what it saw."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from blip_core.wiring.servers import HOST
from tests.deployments.conftest import free_port

CHROMIUM = Path("/usr/bin/chromium")
DRIVER = Path("/usr/bin/chromedriver")
WIDTH_PX, HEIGHT_PX = 1400, 1500
# Headless, as root in a container, and with no look-ups of its own.
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    f"--window-size={WIDTH_PX},{HEIGHT_PX}",
)


@dataclass(frozen=True)
class Pages:
    """Where the pages are served."""

    prefect: str
    mlflow: str
    home: Path


@pytest.fixture(scope="package")
def pages(tmp_path_factory) -> Iterator[Pages]:
    home = tmp_path_factory.mktemp("ui")
    prefect, mlflow = free_port(), free_port()
    command = [sys.executable, "-m", "flows.cli.app", "ui"]
    process = subprocess.Popen(
        [*command, "--prefect-port", str(prefect), "--mlflow-port", str(mlflow)],
        env={name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        | {"FOUNDRY_HOME": str(home), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C" in line:
                break
        else:
            raise AssertionError("".join(said))
        yield Pages(f"http://{HOST}:{prefect}", f"http://{HOST}:{mlflow}", home)
    finally:
        process.terminate()
        process.communicate()


@pytest.fixture
def browser(tmp_path) -> Iterator["WebDriver"]:  # noqa: F821 - known where the extra `browser` is installed
    from selenium.webdriver import Chrome, ChromeOptions, ChromeService

    options = ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(flag)
    driver = Chrome(options, ChromeService(str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture
def keep(browser) -> Iterator[Callable[[str], None]]:
    """Keep what the browser shows, under a name; what it shows in the end is kept in any case."""
    folder = Path(os.environ.get("SCREENSHOTS") or "build/screenshots")
    folder.mkdir(parents=True, exist_ok=True)

    def save(name: str) -> None:
        browser.save_screenshot(str(folder / f"{name}.png"))

    yield save
    save("in-the-end")
