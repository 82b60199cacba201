"""The estimate of memory is held against what a process takes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks/memory_plan.py"
STATUS = Path("/proc/self/clear_refs")  # by which the kernel forgets a process's peak


def run(*arguments: str) -> dict[str, float]:
    command = [sys.executable, str(BENCHMARK), "--child", *arguments]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=returning()).stdout
    found: dict[str, float] = json.loads(output.splitlines()[-1])
    return found


def returning() -> dict[str, str]:
    import os

    from memory_plan import RETURNED

    return os.environ | dict(RETURNED)


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARK.parent)


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason="the system does not say what a process takes at most")
@pytest.mark.parametrize("model", ["flux", "sd15"])
def test_it_is_what_the_training_takes(model: str, tmp_path: Path) -> None:
    run("write", model, str(tmp_path))
    for method, settings in (("lora", "plain"), ("dreambooth", "plain")):
        found = run("compare", model, str(tmp_path), method, settings)
        assert found["estimate"] == pytest.approx(found["anonymous"], rel=0.15), (method, settings)
