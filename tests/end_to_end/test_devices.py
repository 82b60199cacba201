"""One run on several devices, however its processes are started."""

from pathlib import Path

import pytest
from launched import runs, train
from rounding import near
from small_runs import losses, overrides

pytestmark = pytest.mark.slow

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "imprint.cli", "train"]
SCORED = ["evaluation=quick", "+encoders@model.encoders=mini", "evaluation.pictures.subject.numbers=[0]"]


def test_under_torchrun_two_processes_do_what_one_does(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    settings = [*SCORED, "hparams.batch_size=4", "prior=generated", "prior.count=3"]
    train(*overrides(tiny_sd, pictures, tmp_path / "one", *settings))
    train(*overrides(tiny_sd, pictures, tmp_path / "two", *settings, "trainer=ddp"), program=TORCHRUN)
    [one], [two] = runs(tmp_path / "one"), runs(tmp_path / "two")
    assert one.folder.name == two.folder.name
    assert losses(two) == near(losses(one))
    assert two.status == "finished"
    assert len(two.read().scores) == 1


def test_two_processes_train_beside_a_quantised_base(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    settings = ["method=lora", "method.rank=2", "hparams.batch_size=4", "model.quantise=nf4"]
    train(*overrides(tiny_sd, pictures, tmp_path / "one", *settings))
    train(*overrides(tiny_sd, pictures, tmp_path / "two", *settings, "trainer=ddp"), program=TORCHRUN)
    [one], [two] = runs(tmp_path / "one"), runs(tmp_path / "two")
    assert one.folder.name == two.folder.name
    assert losses(two) == near(losses(one))
