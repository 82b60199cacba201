from pathlib import Path

import pandas
import pytest
from pytorch_lightning.callbacks import ProgressBar
from unit.reporting.fakes import FakeModule, fit, protocol
from unit.reporting.tracking.offline import settings

from imprint.reporting.reporter import Reporter
from imprint.reporting.sample_index import read_samples
from imprint.runs import Run


def reporter(mode: str) -> Reporter:
    return Reporter(every=4, progress="off", wandb=settings(mode), loggers={})


@pytest.mark.parametrize("mode", ["offline", "off"])
def test_a_run_leaves_its_metrics_pictures_and_costs(tmp_path: Path, mode: str) -> None:
    run = Run(tmp_path / "dog-0123abcd")
    run.note({"status": "running"})
    loggers, callbacks = reporter(mode).attach(run, config={"seed": 0}, protocol=protocol(), name="dog")
    fit(FakeModule(), callbacks, loggers, progress=True)
    frame = pandas.read_csv(run.metrics)
    assert list(frame.columns) == ["step", "loss", "loss/instance", "lr/denoiser"]
    assert list(frame.step) == [1, 2, 3, 4, 5, 6]
    assert {entry.step for entry in read_samples(run)} == {0, 6}
    training = run.read().training
    assert training.steps == 6
    assert training.loss == 103.5
    assert training.seconds > 0
    assert training.peak_memory_bytes > 1_000_000
    assert run.status == "running", "the status is the program's to say"
    assert bool(list(run.folder.glob("wandb/offline-run-*"))) == (mode == "offline")


def test_the_costs_of_all_sessions_are_added(tmp_path: Path) -> None:
    run = Run(tmp_path / "dog-0123abcd")

    def attach() -> tuple:
        return reporter("off").attach(run, config={}, protocol=protocol(prompts=()), name="dog")

    loggers, callbacks = attach()
    with pytest.raises(RuntimeError, match="failed as planned"):
        fit(FakeModule(fail_at=6), callbacks, loggers, save=tmp_path / "checkpoints", progress=True)
    assert run.read().training.steps == 5
    run.note({"training": {**run.read().training.model_dump(), "seconds": 1000.0}})
    loggers, callbacks = attach()
    fit(FakeModule(), callbacks, loggers, resume=tmp_path / "checkpoints" / "at-step=4.ckpt", progress=True)
    training = run.read().training
    assert training.steps == 6
    assert 1000 <= training.seconds < 1100


def test_exactly_one_callback_is_the_progress_bar(tmp_path: Path) -> None:
    _, callbacks = reporter("off").attach(Run(tmp_path), config={}, protocol=protocol(), name="dog")
    assert len([callback for callback in callbacks if isinstance(callback, ProgressBar)]) == 1
