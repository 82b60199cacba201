import io
import logging
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from unit.reporting.fakes import FakeModule, fit

from imprint.reporting import progress as progress_module
from imprint.reporting.progress import PlainProgress, RichProgress, StepProgress, choose_progress
from imprint.reporting.reporter import StepRecorder


def test_the_bar_shows_the_step_the_loss_the_rate_and_the_time_left() -> None:
    screen = io.StringIO()
    bar = RichProgress("my run", Console(file=screen, force_terminal=True, width=140, color_system=None))
    fit(FakeModule(), [StepRecorder(every=1, listeners=[bar]), bar], progress=True)
    shown = screen.getvalue()
    for part in ("my run", "6/6", "loss 10", "lr 0.5", "it/s", "0:00:0", "<"):
        assert part in shown


def test_a_resumed_bar_starts_where_the_checkpoint_stood(tmp_path: Path) -> None:
    fit(FakeModule(), [], save=tmp_path, steps=4)
    begun: list[tuple[int, int]] = []
    reached: list[int] = []

    class Watch(StepProgress):
        def begin(self, step: int, total: int) -> None:
            begun.append((step, total))

        def reach(self, step: int) -> None:
            reached.append(step)

    fit(FakeModule(), [Watch()], resume=tmp_path / "at-step=4.ckpt", steps=6, progress=True)
    assert begun == [(4, 6)]
    assert reached == [5, 6]


def test_speed_counts_only_the_steps_of_this_session() -> None:
    bar = RichProgress("x", Console(file=io.StringIO(), width=140))
    bar.begin(1_000_000, 2_000_000)
    for step in range(1_000_001, 1_000_011):
        bar.reach(step)
    bar.end()
    task = bar._progress.tasks[0]
    assert task.completed == 1_000_010
    assert sum(sample.completed for sample in task._progress) == 10


def test_without_a_terminal_lines_are_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "PLAIN_SECONDS", 0)
    chosen = choose_progress("rich", "my run")
    assert isinstance(chosen, PlainProgress), "the tests' output is no terminal"
    with caplog.at_level(logging.INFO, logger="imprint"):
        fit(FakeModule(), [StepRecorder(every=1, listeners=[chosen]), chosen], progress=True)
    assert "my run: step 0 of 6" in caplog.text
    assert "step 6/6  loss 10" in caplog.text
    assert "left" in caplog.text


def test_what_is_drawn_before_the_first_step_does_not_make_it_slow(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(progress_module, "time", SimpleNamespace(monotonic=lambda: now))
    bar = PlainProgress("x")
    bar.begin(0, 10)
    now = 100.0
    bar.work()
    now = 102.0
    with caplog.at_level(logging.INFO, logger="imprint"):
        bar.reach(1)
    assert "2.0 s/it  0:00:02  0:00:18 left" in caplog.text


def test_plain_lines_are_rare(caplog: pytest.LogCaptureFixture) -> None:
    chosen = choose_progress("plain", "my run")
    with caplog.at_level(logging.INFO, logger="imprint"):
        fit(FakeModule(), [chosen], progress=True)
    assert len([record for record in caplog.records if record.name.startswith("imprint")]) == 2, "start and end"


def test_off_shows_nothing(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    off = choose_progress("off", "my run")
    with caplog.at_level(logging.INFO, logger="imprint"):
        fit(FakeModule(), [StepRecorder(every=1, listeners=[off]), off], progress=True)
    assert "my run" not in capsys.readouterr().out
    assert not [record for record in caplog.records if record.name.startswith("imprint")]


def test_the_bar_ends_when_training_fails() -> None:
    bar = RichProgress("x", Console(file=io.StringIO(), force_terminal=True, width=100))
    with pytest.raises(RuntimeError):
        fit(FakeModule(fail_at=2), [bar], progress=True)
    assert not bar._progress.live.is_started
