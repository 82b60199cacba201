"""`python -m pytest tests/golden --regenerate` writes the loss sequences anew, after a change that was meant."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regenerate", action="store_true", help="write the golden loss sequences instead of comparing")


@pytest.fixture
def regenerate(request: pytest.FixtureRequest) -> bool:
    # Where all tests are run together the option is not known, and never set.
    return bool(request.config.getoption("--regenerate", default=False))
