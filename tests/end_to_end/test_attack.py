"""`make attack` itself, once."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ATTACK = Path(__file__).parents[1] / "attack"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="it looks for processes in /proc"),
]


def test_it_kills_a_program_and_finds_nothing_missing(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- attacked -->\n<!-- end -->\nafter\n", encoding="utf-8")
    command = [sys.executable, str(ATTACK), "--count", "1", "--kinds", "saving", "--work", str(tmp_path / "work")]
    subprocess.run([*command, "--page", str(page)], check=True, capture_output=True)
    [line] = (tmp_path / "work" / "attacks.jsonl").read_text(encoding="utf-8").splitlines()
    attack = json.loads(line)
    assert attack["struck"]
    assert attack["finished"]
    assert attack["starts"] == 2
    assert (attack["files"], attack["unfinished"], attack["living"], attack["tracebacks"]) == ([], [], 0, 0)
    text = page.read_text(encoding="utf-8")
    assert text.startswith("before\n") and text.endswith("after\n")  # noqa: PT018
    assert "| saving: DreamBooth, while a file is being written | 1 | 1 | 1 | 0 | 0 | 0 | 0 | 0 |" in text
    again = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "saving 0" not in again.stdout, "what is in the record is not attacked again"
