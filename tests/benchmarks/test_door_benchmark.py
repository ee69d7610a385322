from tests.benchmarks import door_page
from tests.benchmarks.door import summed_up

TURN = {"cpu": 9.0, "load": 0.5}


def test_the_page_gives_medians_of_both_commands_with_and_without_a_server() -> None:
    alone, beside = (
        [TURN | {"seconds": seconds} for seconds in many] for many in ((8.0, 9.5, 8.5), (5.0, 4.0))
    )
    entry = {
        "machine": {"cpu": "AMD EPYC", "cores": 2, "threads": 2, "capability": "AVX512"},
        "versions": {"python": "3.11"},
        "rows": 100,
        "alone": {"run": summed_up(alone), "predict": summed_up(alone)},
        "beside": {"run": summed_up(beside), "predict": summed_up(beside)},
    }
    page = door_page.page({"cpu": [entry]})
    assert (
        "| `foundry run gallery-vqa` with 20 scenes, all of it cached | started for the command | **8.5** |"
        in page
    )
    assert (
        "| `foundry predict` of 100 new rows | `foundry ui` is up | **4.5** | 4.0 to 5.0 | 9.0 | 0.5 |"
        in page
    )
    assert "median of 3" in page
