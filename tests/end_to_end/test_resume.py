"""A run that stops goes on as if it had not."""

from pathlib import Path

import pytest
import torch
from leftovers import leave_half_of, left_in
from small_runs import configure, losses, metrics, only_run

from imprint.files import write_atomically
from imprint.runs import Run
from imprint.training.callbacks import FiniteLoss
from imprint.verbs.train import train

VARIANTS = {
    "plain": [],
    "prior": ["prior=generated", "prior.count=3"],
    "accumulation": ["hparams.batch_size=4", "trainer.accumulation=2"],
    "average": ["hparams.ema=0.5", "hparams.rate.name=cosine"],
    "uncached": ["dataset.crop=random", "dataset.flip=true"],
    "teacher": ["prior=base_prediction", "method.roles=[denoiser,text]"],
}
NUMERIC = {"teacher": pytest.mark.numeric}  # as on several processors: that with the most in it


class Stopped(Exception):
    """Stands for a crash."""


@pytest.mark.parametrize("variant", [pytest.param(name, marks=NUMERIC.get(name, ())) for name in VARIANTS])
@pytest.mark.parametrize("stop", [2, 3])
def test_the_losses_after_a_stop_are_those_of_an_uninterrupted_run(
    variant: str, stop: int, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ["hparams.steps=5", *VARIANTS[variant]]
    whole = train(configure(tiny_sd, pictures, tmp_path / "whole", *settings))
    with monkeypatch.context() as patch:
        patch.setattr(FiniteLoss, "on_before_backward", _stop_at(stop))
        with pytest.raises(Stopped):
            train(configure(tiny_sd, pictures, tmp_path / "parts", *settings))
    stopped = Run(tmp_path / "parts" / whole.folder.name)
    assert stopped.status == "failed"
    resumed = train(configure(tiny_sd, pictures, tmp_path / "parts", *settings))
    assert metrics(resumed) == metrics(whole)
    assert len(losses(resumed)) == 5
    for file in sorted(whole.result.glob("*/*.safetensors")):
        other = resumed.result / file.relative_to(whole.result)
        assert file.read_bytes() == other.read_bytes(), file.name


def test_what_a_killed_program_left_half_written_goes_with_the_next_start(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ["method=lora", "hparams.steps=3"]
    with monkeypatch.context() as patch:
        patch.setattr(FiniteLoss, "on_before_backward", _stop_at(2))
        with pytest.raises(Stopped):
            train(configure(tiny_sd, pictures, tmp_path, *settings))
    run = only_run(tmp_path)
    for file in (run.checkpoint, run.result, run.manifest, run.metrics, run.samples / "step-000003" / "00-s0.png"):
        leave_half_of(file)
    train(configure(tiny_sd, pictures, tmp_path, *settings))
    assert run.status == "finished"
    assert not left_in(run.folder)
    leave_half_of(run.folder / "scores" / "quick-0123.json")
    train(configure(tiny_sd, pictures, tmp_path, *settings))
    assert not left_in(run.folder), "of a finished run, too"


def test_a_finished_run_is_not_repeated(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    first = train(configure(tiny_sd, pictures, tmp_path))
    before = {file: file.stat().st_mtime_ns for file in first.folder.rglob("*") if file.is_file()}
    again = train(configure(tiny_sd, pictures, tmp_path))
    assert again.folder == first.folder
    assert before == {file: file.stat().st_mtime_ns for file in first.folder.rglob("*") if file.is_file()}


def test_a_checkpoint_holds_what_trains_and_can_be_read_without_running_code(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FiniteLoss, "on_before_backward", _stop_at(3))
    with pytest.raises(Stopped):
        train(configure(tiny_sd, pictures, tmp_path))
    [file] = tmp_path.glob("*/checkpoints/last.ckpt")
    checkpoint = torch.load(file, weights_only=True)
    assert checkpoint["global_step"] == 2
    assert checkpoint["state_dict"]
    assert all(name.startswith("family.unet.") for name in checkpoint["state_dict"])


def test_a_write_that_is_cut_short_leaves_the_last_checkpoint(tmp_path: Path) -> None:
    file = tmp_path / "last.ckpt"
    torch.save({"step": 1}, file)

    def cut_short(temporary: Path) -> None:
        temporary.write_bytes(b"half a checkpoint")
        raise Stopped

    with pytest.raises(Stopped):
        write_atomically(file, cut_short)
    assert torch.load(file, weights_only=True) == {"step": 1}


def _stop_at(step: int):
    def stop(self: FiniteLoss, trainer, module, loss) -> None:
        if trainer.global_step == step:
            raise Stopped

    return stop
