"""How many cases the fuzz tests run: a share in `make test`, all of them in `make campaign-fuzz`."""

import pytest

SHARE = 100


def pytest_addoption(parser):
    parser.addoption("--fuzz-cases", type=int, default=SHARE, help="cases that each parser is given")


@pytest.fixture
def cases(request) -> int:
    return request.config.getoption("--fuzz-cases", default=SHARE)
