"""What a person sees of runs: log and results in Prefect; experiment, note and comparison in MLflow."""

import json
import os
import subprocess
import sys
from urllib.request import Request, urlopen

import pytest

from tests.browser.looking import click, find, shown_text, wait

pytestmark = [pytest.mark.browser, pytest.mark.timeout(2400)]

JUDGED = 32  # of fewer than 30 rows a page says that they prove nothing
SMALL = ["source.kind=world", "scenes.count=24", "finetune.epochs=1", f"evaluation.limit={JUDGED}"]
VARIANTS = ["baseline", "flan-t5", "finetuned"]
PATIENCE_SECONDS = 1200  # a bound for a crowded machine, not a measurement
PHONE_PX = 390


def ask(address, body):
    request = Request(address, json.dumps(body).encode(), {"Content-Type": "application/json"})  # noqa: S310
    with urlopen(request, timeout=60) as response:  # noqa: S310 - our own server on loopback
        return json.load(response)


@pytest.fixture(scope="module")
def summary(pages):
    """Of a small run from the command line, recorded by both servers."""
    overrides = [part for text in SMALL for part in ("--set", text)]
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli.app", "run", "gallery-vqa", "--json", *overrides],
        env={name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        | {"FOUNDRY_HOME": str(pages.home)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=PATIENCE_SECONDS,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def flow_run(pages, summary):
    wanted = {"flows": {"name": {"any_": ["pipeline"]}}, "sort": "START_TIME_DESC", "limit": 1}
    return ask(f"{pages.prefect}/api/flow_runs/filter", wanted)[0]["id"]


@pytest.fixture(scope="module")
def experiment(pages, summary):
    """Address of the experiment in MLflow, and ids of its runs by their names."""
    named = ask(f"{pages.mlflow}/api/2.0/mlflow/experiments/search", {"max_results": 50})["experiments"]
    (number,) = [one["experiment_id"] for one in named if one["name"] == "gallery-vqa"]
    found = ask(f"{pages.mlflow}/api/2.0/mlflow/runs/search", {"experiment_ids": [number], "max_results": 99})
    runs = sorted(found["runs"], key=lambda one: one["info"]["start_time"])
    ids = {one["info"]["run_name"]: one["info"]["run_id"] for one in runs}
    return f"{pages.mlflow}/#/experiments/{number}", ids


def stand_on_a_phone(browser):
    screen = {"width": PHONE_PX, "height": 850, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)


@pytest.mark.parametrize("page", ["", "/v2"])
def test_the_log_of_a_run_says_what_came_of_each_stage_and_the_verdict(
    browser, pages, summary, flow_run, keep, page
):
    browser.get(f"{pages.prefect}{page}/runs/flow-run/{flow_run}")
    find(browser, "//*[contains(., 'scenes: 24 scenes of 24 asked')]")
    shown = shown_text(browser)
    assert "finetune: epoch 1 of 1: loss " in shown
    keep(f"log{page.replace('/', '-')}")
    for line in ("verdict: ", f"dataset: {summary['dataset']['path']}", "MLflow: "):
        wait(browser, lambda _, line=line: line in scrolled_text(browser))


def scrolled_text(browser):
    """What a page shows when it is scrolled to its end; logs are drawn as far as one scrolls."""
    browser.execute_script(
        "for (const box of [document.scrollingElement, ...document.querySelectorAll('*')])"
        " if (box.scrollHeight > box.clientHeight) box.scrollTop = box.scrollHeight"
    )
    return shown_text(browser)


@pytest.mark.parametrize("page", ["", "/v2"])
def test_the_result_shows_verdict_picture_and_every_difference(browser, pages, summary, flow_run, keep, page):
    wanted = {"artifacts": {"flow_run_id": {"any_": [flow_run]}, "key": {"any_": ["results"]}}}
    (result,) = ask(f"{pages.prefect}/api/artifacts/filter", wanted)
    browser.get(f"{pages.prefect}{page}/artifacts/artifact/{result['id']}")
    find(browser, "//th[contains(., 'questions that differ')]")
    drawn = "return [...document.images].some((one) => one.alt == 'the ladder' && one.naturalWidth > 0)"
    wait(browser, lambda _: browser.execute_script(drawn))
    rows = browser.execute_script(
        "return [...document.querySelectorAll('tbody tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.innerText.replace(/\\s+/g, ' ')).join(' '))"
    )
    for one in summary["comparisons"]:
        told = f"{one['b']} {one['a']} {100 * one['difference']:+.1f} ("
        assert any(row.startswith(told) for row in rows), (told, rows)
    keep(f"result{page.replace('/', '-')}")
    stand_on_a_phone(browser)
    keep(f"result-phone{page.replace('/', '-')}")


def test_a_run_of_a_worker_that_fails_says_why_in_one_sentence(browser, pages, keep):
    wanted = {"deployments": {"name": {"any_": ["predict"]}}}
    (deployment,) = ask(f"{pages.prefect}/api/deployments/filter", wanted)
    given = {"table": "/no/such/table.csv", "out": str(pages.home / "answers"), "variant": "flan-t5"}
    asked = {"parameters": given}
    run = ask(f"{pages.prefect}/api/deployments/{deployment['id']}/create_flow_run", asked)["id"]
    browser.get(f"{pages.prefect}/v2/runs/flow-run/{run}")
    find(browser, "//main//*[.='Failed']", PATIENCE_SECONDS)
    browser.refresh()
    find(browser, "//*[contains(., 'The run failed: ') and contains(., '/no/such/table.csv')]")
    assert "Traceback" not in scrolled_text(browser)
    keep("failed")
    click(browser, "//button[normalize-space()='Artifacts']")
    find(browser, "//main//a[contains(., 'failure')]")


def test_an_experiment_opens_on_its_training_runs(browser, pages, experiment, keep):
    browser.get(f"{pages.mlflow}/#/experiments")
    click(browser, "//a[normalize-space()='gallery-vqa']")
    find(browser, "//a[normalize-space()='gallery-vqa-pocket']")
    assert "/runs?workflowType=machine_learning" in browser.current_url
    keep("experiment")
    click(browser, "//button[@data-testid='saved-views-trigger']")
    click(browser, "//*[@role='menuitem' or @role='menuitemradio'][contains(., 'Scores')]")
    find(browser, "//*[@role='columnheader'][contains(., 'eval/gain_p')]")
    keep("experiment-scores")


def test_the_note_of_a_run_is_on_top_of_its_page(browser, experiment, keep):
    address, ids = experiment
    browser.get(f"{address}/runs/{ids['gallery-vqa-pocket']}")
    find(browser, "//*[contains(text(), 'finetuned')][contains(., '95 % interval')]")
    click(browser, "//*[normalize-space()='Show more'][not(*)]")
    for name in VARIANTS:
        find(browser, f"//td[starts-with(normalize-space(), '{name} (n {JUDGED})')]")
    assert "The log of this run in Prefect" in shown_text(browser)
    keep("note")


def chosen_metrics(browser):
    """What stands in the page's selections, which are drawn after their labels."""
    return browser.execute_script(
        "return [...document.querySelectorAll('[class*=selection-item], [class*=select] [title]')]"
        ".map((one) => one.innerText.trim()).filter(Boolean)"
    )


def test_three_variants_are_compared_by_accuracy(browser, pages, experiment, keep):
    address, ids = experiment
    compared = json.dumps([ids[f"predict {name}"] for name in VARIANTS])
    number = address.rsplit("/", 1)[-1]
    browser.get(f'{pages.mlflow}/#/compare-runs?runs={compared}&experiments=["{number}"]')
    find(browser, "//*[contains(., 'Comparing 3 Runs')]")
    label = "//*[starts-with(normalize-space(), 'Metrics:')]"
    find(browser, f"{label}/following::*[normalize-space()='eval/accuracy'][1]")
    chosen = wait(browser, chosen_metrics)
    assert "eval/accuracy" in chosen, chosen
    assert not [name for name in chosen if name.startswith(("stage/", "system/"))]
    keep("compare")
