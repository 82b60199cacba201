"""TensorBoard's and Lightning's own files, read back by the libraries that they are for."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from composed import compose
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from unit.reporting.fakes import FakeModule, fit, protocol
from unit.reporting.tracking.offline import settings

from imprint.config import resolved
from imprint.construct import Constructor
from imprint.errors import UserError
from imprint.reporting.reporter import Reporter
from imprint.reporting.tracking import loggers
from imprint.reporting.tracking.loggers import Csv, LoggerChoice, TensorBoard
from imprint.runs import Run

CONFIG: Mapping[str, Any] = {"seed": 3, "method": {"lr": 1e-4}}


def train(run: Run, choice: LoggerChoice, **settings_of_fit: Any) -> None:
    reporter = Reporter(every=2, progress="off", wandb=settings("off"), loggers={"it": choice})
    loggers, callbacks = reporter.attach(run, config=CONFIG, protocol=protocol(), name="dog")
    fit(FakeModule(**settings_of_fit.pop("module", {})), callbacks, loggers, progress=True, **settings_of_fit)


def interrupted(run: Run, choice: LoggerChoice, checkpoints: Path) -> None:
    """Fails in step 6, goes on after step 4."""
    with pytest.raises(RuntimeError, match="failed as planned"):
        train(run, choice, module={"fail_at": 6}, save=checkpoints)
    train(run, choice, resume=checkpoints / "at-step=4.ckpt")


def events(run: Run) -> EventAccumulator:
    return EventAccumulator(str(run.folder / "tensorboard"), size_guidance={"images": 0}).Reload()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    found = Run(tmp_path / "dog-0123abcd")
    found.note({"status": "running"})
    return found


def test_tensorboard_has_curves_pictures_and_the_configuration(run: Run) -> None:
    train(run, TensorBoard(flush_seconds=1))
    found = events(run)
    assert [(each.step, each.value) for each in found.Scalars("loss")] == [(n, 100.0 + n) for n in range(1, 7)]
    assert found.Scalars("lr/denoiser")[-1].value == 0.5
    assert {each.step for each in found.Images("a sks dog/seed 0")} == {0, 6}
    assert (found.Images("a dog/seed 3")[0].width, found.Images("a dog/seed 3")[0].height) == (12, 8)
    texts = {tag: found.Tensors(tag)[0].tensor_proto.string_val[0].decode() for tag in found.Tags()["tensors"]}
    assert "lr: 0.0001" in texts["config/text_summary"]
    assert "steps: 6" in texts["summary/text_summary"]


def test_a_resumed_run_has_each_step_once_in_tensorboard(run: Run, tmp_path: Path) -> None:
    interrupted(run, TensorBoard(flush_seconds=1), tmp_path / "checkpoints")
    assert [each.step for each in events(run).Scalars("loss")] == [1, 2, 3, 4, 5, 6]


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8") as opened:
        return list(csv.DictReader(opened))


def test_lightnings_csv_has_curves_and_the_configuration(run: Run) -> None:
    train(run, Csv(flush_every=100))
    found = rows(run.folder / "csv" / "version_0" / "metrics.csv")
    assert [(int(row["step"]), float(row["loss"])) for row in found] == [(n, 100.0 + n) for n in range(1, 7)]
    written = yaml.safe_load((run.folder / "csv" / "version_0" / "hparams.yaml").read_text())
    assert written == CONFIG


def test_a_resumed_run_keeps_what_lightning_wrote_before(run: Run, tmp_path: Path) -> None:
    interrupted(run, Csv(flush_every=100), tmp_path / "checkpoints")
    steps = [[int(row["step"]) for row in rows(file)] for file in sorted(run.folder.glob("csv/*/metrics.csv"))]
    assert steps == [[1, 2, 3, 4, 5], [5, 6]]


@pytest.mark.parametrize("chosen", ["tensorboard", "csv", "[tensorboard,csv]"])
def test_they_are_chosen_by_a_word(chosen: str) -> None:
    cfg = resolved(compose("train", [f"report/loggers={chosen}", "report=online"]))
    constructor = Constructor()
    reporter = constructor.build(cfg["report"], "report")
    assert not constructor.problems
    assert list(reporter.loggers) == chosen.strip("[]").split(",")
    assert reporter.wandb.mode == "online"


def test_without_tensorboard_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loggers, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"imprint-diffusion\[tensorboard\]"):
        TensorBoard(flush_seconds=1)
