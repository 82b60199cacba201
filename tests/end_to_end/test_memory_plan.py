"""What loading and training take of a process's memory, and what the estimate says of it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
STATUS = Path("/proc/self/clear_refs")  # by which the kernel forgets a process's peak


def run(benchmark: str, *arguments: str) -> list[dict[str, float]]:
    command = [sys.executable, str(BENCHMARKS / benchmark), "--child", *arguments]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=returning()).stdout
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def returning() -> dict[str, str]:
    import os

    from memory_plan import RETURNED

    return os.environ | dict(RETURNED)


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(BENCHMARKS)


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason="the system does not say what a process takes at most")
@pytest.mark.parametrize("model", ["flux", "sd15", "sana"])
def test_it_is_what_the_training_takes(model: str, tmp_path: Path) -> None:
    run("memory_plan.py", "write", model, str(tmp_path))
    cases = ("lora", "plain", "dreambooth", "plain")
    for found in run("memory_plan.py", "compare", model, str(tmp_path), *cases):
        assert found["estimate"] == pytest.approx(found["anonymous"], rel=0.15), found["phase"]


@pytest.mark.slow
@pytest.mark.skipif(not STATUS.exists(), reason="the system does not say what a process takes at most")
@pytest.mark.parametrize("stored", ["float32", "bfloat16"])
def test_a_part_is_in_memory_once_while_it_is_read(stored: str, tmp_path: Path) -> None:
    """With the pages of its file, whatever the type that is asked for."""
    run("memory.py", "write", str(tmp_path), stored)
    for part, dtype in (("transformer", "bfloat16"), ("text_encoder_2", "float32")):
        [found] = run("memory.py", "reading", str(tmp_path), part, dtype)
        assert found["resident"] < 1.1 * found["weights"], (part, dtype)
        assert found["anonymous"] > 0.9 * found["weights"], "it is mapped, or was not measured"
