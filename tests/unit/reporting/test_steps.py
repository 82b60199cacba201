from pathlib import Path

import pytest
from unit.reporting.fakes import FakeModule, fit

from imprint.reporting.local import LocalLogger
from imprint.reporting.metrics_file import read_metrics
from imprint.reporting.reporter import StepRecorder


class Heard:
    def __init__(self) -> None:
        self.rows: list[tuple[int, dict[str, float]]] = []

    def log_metrics(self, metrics: dict[str, float], step: int) -> None:
        self.rows.append((step, metrics))


@pytest.mark.parametrize(("every", "accumulate"), [(1, 1), (4, 1), (100, 1), (2, 3)])
def test_every_optimiser_step_is_told_once_with_its_loss_and_the_rate_it_used(every: int, accumulate: int) -> None:
    heard = Heard()
    fit(FakeModule(), [StepRecorder(every=every, listeners=[heard])], accumulate=accumulate)
    assert [step for step, _ in heard.rows] == [1, 2, 3, 4, 5, 6]
    assert [metrics["loss"] for _, metrics in heard.rows] == [101, 102, 103, 104, 105, 106]
    assert [metrics["lr/denoiser"] for _, metrics in heard.rows] == [1, 1, 1, 0.5, 0.5, 0.5]


def test_the_parts_are_told_where_they_have_samples() -> None:
    alone, both = Heard(), Heard()
    fit(FakeModule(), [StepRecorder(every=1, listeners=[alone])], steps=1)
    fit(FakeModule(prior=1.0), [StepRecorder(every=1, listeners=[both])], steps=1)
    assert alone.rows == [(1, {"loss": 101, "loss/instance": 101, "lr/denoiser": 1})]
    assert both.rows == [(1, {"loss": 101, "loss/instance": 100, "loss/prior": 1, "lr/denoiser": 1})]


def test_steps_are_gathered_until_a_telling_is_due() -> None:
    heard = Heard()
    seen: list[int] = []

    class Watch(StepRecorder):
        def flush(self) -> None:
            super().flush()
            seen.append(len(heard.rows))

    fit(FakeModule(), [Watch(every=4, listeners=[heard])])
    assert seen == [4, 6]


def test_steps_before_a_failure_are_told() -> None:
    heard = Heard()
    with pytest.raises(RuntimeError, match="failed as planned"):
        fit(FakeModule(fail_at=4), [StepRecorder(every=100, listeners=[heard])])
    assert [step for step, _ in heard.rows] == [1, 2, 3]


def test_a_listener_that_fails_does_not_hide_why_training_failed() -> None:
    class Full:
        def log_metrics(self, metrics: dict[str, float], step: int) -> None:
            raise OSError("no space left")

    with pytest.raises(RuntimeError, match="failed as planned"):
        fit(FakeModule(fail_at=2), [StepRecorder(every=100, listeners=[Full()])])


def test_a_checkpoint_never_knows_more_than_the_file_and_a_resume_continues_it(tmp_path: Path) -> None:
    def local() -> list:
        logger = LocalLogger(tmp_path / "metrics.csv")
        return [StepRecorder(every=100, listeners=[logger])]

    rows_at_checkpoint: list[int] = []

    class Watch(FakeModule):
        def on_save_checkpoint(self, checkpoint: dict) -> None:
            rows_at_checkpoint.append(len(read_metrics(tmp_path / "metrics.csv")["step"]))

    with pytest.raises(RuntimeError):
        fit(Watch(fail_at=6), local(), save=tmp_path / "checkpoints")
    assert rows_at_checkpoint == [2, 4]
    assert read_metrics(tmp_path / "metrics.csv")["step"] == [1, 2, 3, 4, 5]
    fit(FakeModule(), local(), resume=tmp_path / "checkpoints" / "at-step=2.ckpt")
    metrics = read_metrics(tmp_path / "metrics.csv")
    assert metrics["step"] == [1, 2, 3, 4, 5, 6]
    assert metrics["loss"] == [101, 102, 103, 104, 105, 106]
