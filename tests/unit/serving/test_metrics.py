"""What a server counts, as Prometheus' own parser reads it."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.unit.serving.conftest import at, body, served
from tests.unit.serving.test_server import CHAT, question_of


def counted(client, **headers) -> dict[tuple, float]:
    """Samples by their name and the values of their labels."""
    told = client.get("/metrics", headers=headers)
    assert told.status_code == 200
    assert told.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(told.text)
        for sample in family.samples
    }


def test_requests_rows_batches_times_and_errors_are_counted(asking, tiny_model, make_examples):
    rows = make_examples(3)
    with served(asking, lambda: tiny_model) as (address, _), at(address) as client:
        before = counted(client)
        assert (before["foundry_serve_requests_in_progress",], before["foundry_serve_rows_waiting",]) == (
            0,
            0,
        )
        for row in rows:
            assert client.post(CHAT, json=body(question_of(row), row.image)).status_code == 200
        client.post(CHAT, content=b"{", headers={"Content-Type": "application/json"})
        client.post(CHAT, json=body("What?", "http://127.0.0.1:9/x.png"))
        client.get("/somebody's/path")
        told = counted(client)
    name = "foundry_serve"
    assert told[f"{name}_requests_total", CHAT, "200"] == 3
    assert told[f"{name}_requests_total", CHAT, "400"] == 2
    assert told[f"{name}_requests_total", "another path", "404"] == 1
    assert told[f"{name}_errors_total", "invalid_json"] == 1
    assert told[f"{name}_errors_total", "invalid_image"] == 1
    assert told[f"{name}_rows_total", "mcq"] == 3
    assert told[f"{name}_batch_rows_sum",] == told[f"{name}_batch_rows_bucket", "1.0"] == 3
    assert told[f"{name}_batch_seconds_count",] == 3
    assert told[f"{name}_request_seconds_count",] == 5
    assert told[f"{name}_request_seconds_sum",] > 0
    assert not any("somebody" in label for sample in told for label in sample)


def test_counts_are_for_those_who_know_the_key_and_the_name(asking, tiny_model):
    with served(asking, lambda: tiny_model, key="s3cret") as (address, _), at(address) as client:
        given = {"Authorization": "Bearer s3cret"}
        assert client.get("/metrics").status_code == 401
        assert client.get("/metrics", headers={**given, "Host": "evil.example"}).status_code == 421
        told = counted(client, **given)
    assert told["foundry_serve_errors_total", "invalid_api_key"] == 1
    assert told["foundry_serve_errors_total", "unknown_host"] == 1


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_probes_are_not_counted(asking, tiny_model, path):
    with served(asking, lambda: tiny_model) as (address, _), at(address) as client:
        client.get(path)
        assert not [sample for sample in counted(client) if sample[0] == "foundry_serve_requests_total"]
