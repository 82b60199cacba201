"""Methods that have no golden subject learn one of the miniature's, with their recipe cut short."""

from itertools import islice
from pathlib import Path

import pytest
import torch
from lessons import assembled, batches

from imprint.build import trained_family
from imprint.config import compose
from imprint.train import train
from imprint.training.module import Personalisation


@pytest.mark.slow
@pytest.mark.parametrize("method", ["pivotal", "dylora", "custom_diffusion"])
def test_a_subject_of_the_miniature_is_learned(method: str, tmp_path: Path) -> None:
    """The trained model predicts the noise on the subject's pictures better than the untuned one, told the same."""
    quiet = ["samples=none", "report=local", "report.progress=off", "trainer.accelerator=cpu"]
    asked = ["dataset=mini/dog6", f"method={method}", f"outputs={tmp_path}", *quiet]
    run = train(compose("train", [*asked, "hparams.steps=120"]))
    untuned = assembled(compose("train", [*asked, "seed=1", "hparams.batch_size=8"])).eval()
    tuned = Personalisation(trained_family(run, scale={}).family, untuned.lesson).eval()
    tuned.latents = untuned.latents
    with torch.no_grad():
        pairs = [
            (float(untuned.losses(batch).total), float(tuned.losses(batch).total))
            for batch in islice(batches(untuned), 8)
        ]
    before, after = (sum(column) / len(pairs) for column in zip(*pairs, strict=True))
    assert after < 0.98 * before
