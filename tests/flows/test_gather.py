"""`foundry gather` as a person types it: what it refuses before it asks."""

import pytest

from tests.commands import foundry


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("http://127.0.0.1/", "127.0.0.1 is 127.0.0.1, no place on the open web"),
        ("http://localhost:8000/x", "no place on the open web"),
        ("http://169.254.169.254/latest/meta-data/", "no place on the open web"),
        ("shop.example", "does not begin with http:// or https://"),
    ],
)
def test_a_page_that_is_not_on_the_open_web_is_not_asked(page, told, tmp_path):
    done = foundry("gather", page, "--out", str(tmp_path / "out"))
    assert done.code == 2
    assert told in done.err
    assert "Traceback" not in done.err


def test_a_host_that_is_none_is_told_with_the_forms_there_are(tmp_path):
    done = foundry("gather", "http://shop.example/", "--host", "http://cdn", "--out", str(tmp_path / "out"))
    assert (done.code, "write it as example.org" in done.err) == (2, True)
