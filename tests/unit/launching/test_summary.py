"""What came of a sweep, as it lies in its folder."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from imprint.launching.status import Status
from imprint.launching.summary import write_summary
from imprint.sweeps import Sweep


def test_it_is_text_whatever_points_commands_and_reasons_hold(tmp_path: Path) -> None:
    sweep = Sweep.named("a_b", tmp_path)
    sweep.note(question="# Which [one](http://x)?", command="imprint train -m 'a=```'", objectives=[], points=[])
    plan = SimpleNamespace(parts=SimpleNamespace(sweep=SimpleNamespace(objectives=())))
    failed: Any = SimpleNamespace(name="run_1", label="prompts='[a|b]' `c`", plan=plan)
    done: Any = SimpleNamespace(name="run_2", label="method.lr=1e-4", plan=plan)
    reason = "Traceback\n```\n\x1b[31m# no heading"
    seen = {"run_1": Status("failed", reason=reason), "run_2": Status("done", means={"dino": 0.5}, seconds=83.0)}
    write_summary(sweep, [failed, done], seen, None)
    text = sweep.summary.read_text(encoding="utf-8")
    assert "\x1b" not in text
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {6}
    assert table[3] == "| `method.lr=1e-4` | done | 1 min 23 s | 0.500 | run\\_2 |"
    outside = re.sub(r"^(`{3,})\n.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert [line for line in outside.splitlines() if line.startswith("#")] == ["# a\\_b"]
    assert r"\# Which \[one\](http\://x)?" in outside
    assert "no heading" not in outside
