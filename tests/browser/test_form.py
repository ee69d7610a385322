"""What a person does: start `finetune` from its form, wait, follow the link to MLflow."""

import json
from urllib.parse import urlsplit

import pytest

from blip_core.recipes import profile_names
from tests.browser.looking import click, find, wait
from tests.contract.conftest import serving_chat
from tests.served_answers import answer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800)]

OFFERED = ["compare-variants", "finetune", "pipeline", "predict", "regenerate-dataset"]
SMALL = ["source.kind=world", "scenes.count=16"]
PATIENCE_SECONDS = 1200  # a bound for a crowded machine, not a measurement


def field(browser, name):
    label = find(browser, f"//label[starts-with(., '{name} (')]")
    return find(browser, f"//*[@id='{label.get_attribute('for')}']")


def set_number(browser, name, value):
    box = field(browser, name)
    box.clear()
    box.send_keys(str(value))


def add_override(browser, text):
    click(browser, "//button[normalize-space()='Add item']")
    inside = "//label[starts-with(., 'overrides (')]/following::fieldset[1]"
    find(browser, f"({inside}//textarea)[last()]").send_keys(text)


@pytest.fixture
def model_server():
    with serving_chat() as server:
        server.reply = answer
        server.models = lambda: (200, json.dumps({"data": [{"id": "m", "root": "owner/m"}]}))
        yield server


def choices(browser, name):
    from selenium.webdriver.common.by import By

    field(browser, name).click()
    find(browser, "//*[@role='option']")
    return [one.text for one in browser.find_elements(By.XPATH, "//*[@role='option']")]


def test_a_run_started_from_its_form_with_labels_of_a_server_is_found_in_mlflow(
    browser, pages, model_server, keep
):
    browser.get(pages.prefect)
    click(browser, "//a[.='Deployments']")
    for name in OFFERED:
        find(browser, f"//main//a[.='{name}']")
    keep("1-deployments")

    click(browser, "//main//a[.='finetune']")
    click(browser, "//main//button[normalize-space()='Run']")
    click(browser, "//*[@role='menuitem'][normalize-space()='Custom run']")
    set_number(browser, "epochs", 1)
    set_number(browser, "batch_size", 4)
    served = f"labels.model={{url='{model_server.url}', served_model='m'}}"
    for text in (*SMALL, served):
        add_override(browser, text)
    assert choices(browser, "profile") == list(profile_names())
    click(browser, "//*[@role='option'][.='pocket']")
    keep("2-form")

    click(browser, "//button[@type='submit']")
    click(browser, "//main//a[starts-with(@href, '/v2/runs/flow-run/')]")
    find(browser, "//main//*[.='Completed']", PATIENCE_SECONDS)
    run = urlsplit(browser.current_url).path.rsplit("/", 1)[-1]
    find(browser, "//main//*[contains(., 'finetune: epoch 1 of 1: loss ')]")  # from a worker
    assert model_server.requests, "labels came from somewhere else"
    keep("3-run")

    browser.refresh()  # the page asked for artifacts while there were none
    click(browser, "//button[normalize-space()='Artifacts']")
    find(browser, "//main//a[contains(., 'mlflow-run')]")
    keep("4-artifacts")
    click(browser, "//main//a[contains(., 'mlflow-run')]")
    wait(browser, lambda page: "/artifacts/" in page.current_url)
    click(browser, "//main//a[.='Open this run in MLflow']")
    find(browser, f"//*[contains(., '{run}')]")  # among its tags
    assert browser.current_url.startswith(pages.mlflow)
    keep("5-mlflow")
