"""A case from the command to its result, both sides as programs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def run(*arguments: str) -> str:
    command = [sys.executable, str(ROOT / "benchmarks/run.py"), *arguments, "--rounds=1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_imprint_and_a_peer(peer: Path, tmp_path: Path) -> None:
    run("step-tiny-lora", f"--peer={peer}", f"--out={tmp_path}/results")
    [kept] = (tmp_path / "results").glob("*/step-tiny-lora.json")
    text = kept.read_text(encoding="utf-8")
    result = json.loads(text)
    for side in ("imprint", "peer"):
        [values] = result["measured"][side]
        assert 0 < values["start"] < values["whole"]
        assert min(values["step"], values["memory"]) > 0
    for private in (str(ROOT), str(tmp_path)):
        assert private not in text


@pytest.mark.slow
@pytest.mark.parametrize("case", ["drawing-tiny", "metrics-tiny", "grid-tiny-lora-2", "quality-tiny-lora"])
def test_every_kind_of_work_is_measured(case: str, tmp_path: Path) -> None:
    run(case, f"--out={tmp_path}")
    [kept] = tmp_path.glob(f"*/{case}*.json")
    assert json.loads(kept.read_text(encoding="utf-8"))["rounds"] == 1
