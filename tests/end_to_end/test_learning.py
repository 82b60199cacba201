"""Methods learn a subject of the miniature, with their recipe cut short."""

from itertools import islice
from pathlib import Path
from statistics import fmean

import pytest
import torch
from composed import compose
from lessons import assembled, batches

from imprint.results.load import trained_model
from imprint.runs import Run
from imprint.training.module import TrainingModule
from imprint.verbs.train import train

QUIET = ["samples=none", "report=local", "report.progress=off", "trainer.accelerator=cpu"]
BATCHES = 8  # of 8 samples


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "dylora", "pivotal", "custom_diffusion"])
def test_a_subject_of_the_miniature_is_learned(method: str, tmp_path: Path) -> None:
    """Of noise that was never trained with, the trained model predicts more than the untuned one, told the same: on the
    subject's pictures, and not on those of another dog under the same word."""
    asked = [f"method={method}", f"outputs={tmp_path}", *QUIET]
    run = train(compose("train", [*asked, "dataset=mini/dog6", "hparams.steps=120"]))
    own, other = errors(run, asked, "dog6"), errors(run, asked, "dog")
    assert all(after < before for before, after in own)
    assert ratio(own) < 0.96
    assert ratio(other) > ratio(own) + 0.03


def errors(run: Run, asked: list[str], subject: str) -> list[tuple[float, float]]:
    """By batch, of the untuned and of the trained model: the same pictures, noise, timesteps and captions."""
    words = [f"dataset=mini/{subject}", f"dataset.identifier='{run.concepts[0].identifier}'"]
    untuned = assembled(compose("train", [*asked, *words, "seed=1", "hparams.batch_size=8"])).eval()
    tuned = TrainingModule(trained_model(run, scale={}).model, untuned.task).eval()
    tuned.latents = untuned.latents
    with torch.no_grad():
        return [
            (float(untuned.losses(batch).total), float(tuned.losses(batch).total))
            for batch in islice(batches(untuned), BATCHES)
        ]


def ratio(pairs: list[tuple[float, float]]) -> float:
    before, after = (fmean(column) for column in zip(*pairs, strict=True))
    return after / before
