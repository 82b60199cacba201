"""Input that nobody would think of, invented by hypothesis. Usually a little, the same each time; HOSTILE_EXAMPLES=2000
(`make test-hostile`) invents so much of it anew."""

import resource
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile import watching
from hostile.budget import EXAMPLES, USUAL
from hypothesis import HealthCheck, settings

settings.register_profile(
    "hostile",
    max_examples=EXAMPLES,
    derandomize=EXAMPLES == USUAL,
    database=None,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
settings.load_profile("hostile")

MEMORY = 1 << 30  # bytes that a module's tests may take more than what was ever taken before
UNIT = 1 if sys.platform == "darwin" else 1024  # of what the system says


@pytest.fixture(scope="module", autouse=True)
def bounded_memory() -> Iterator[None]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * UNIT < MEMORY


@pytest.fixture(scope="session", autouse=True)
def watched() -> None:
    watching.start()


@pytest.fixture(scope="session")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for those of the examples."""
    return tmp_path_factory.mktemp("hostile")
