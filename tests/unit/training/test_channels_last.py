"""trainer.channels_last: another layout of frozen kernels, and the same training but for rounding."""

from pathlib import Path

import pytest
import torch
from rounding import near
from small_runs import configure, losses
from torch import nn

from imprint.planning.assemble import assemble
from imprint.planning.prepare import prepare
from imprint.verbs.train import train


@pytest.mark.parametrize(("method", "arranged"), [("lora", True), ("dreambooth", False)])
def test_it_is_for_kernels_that_do_not_learn(
    method: str, arranged: bool, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    cfg = configure(tiny_sd, pictures, tmp_path, f"method={method}", "trainer.channels_last=true")
    denoiser = assemble(prepare(cfg)).model.roles["denoiser"]
    kernels = [layer.weight for layer in denoiser.modules() if isinstance(layer, nn.Conv2d)]
    large = [kernel for kernel in kernels if kernel.shape[1] > 1 and kernel.shape[2] > 1]
    assert large
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) == arranged for kernel in large)


def test_the_run_is_the_same_one(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    usual, arranged = (
        train(configure(tiny_sd, pictures, tmp_path / name, "method=lora", f"trainer.channels_last={name}"))
        for name in ("false", "true")
    )
    assert arranged.folder.name == usual.folder.name
    assert losses(arranged) == near(losses(usual))
