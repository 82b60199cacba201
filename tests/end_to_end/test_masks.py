"""Masks, from their files to the gradient."""

import shutil
from pathlib import Path

import pytest
import torch
from drawing import disturb
from lessons import assembled, batches
from rounding import near
from small_runs import configure, draw_masks, draw_pictures, losses

from imprint.errors import ConfigError
from imprint.objectives.noise_prediction import NoisePrediction
from imprint.planning.prepare import prepare
from imprint.verbs.train import train


def test_without_a_mask_the_settings_change_no_run(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    signature = prepare(configure(tiny_sd, pictures, tmp_path)).run.signature
    for setting in ("dataset.masks=off", "dataset.mask_background=0", "dataset.caption_dropout=0"):
        assert prepare(configure(tiny_sd, pictures, tmp_path, setting)).run.signature == signature
    assert prepare(configure(tiny_sd, pictures, tmp_path, "dataset.caption_dropout=0.1")).run.signature != signature


def test_a_mask_makes_another_run(tiny_sd: Path, pictures: Path, masked_pictures: Path, tmp_path: Path) -> None:
    settings = ([], ["dataset.mask_background=0"], ["dataset.masks=off"])
    found = [prepare(configure(tiny_sd, masked_pictures, tmp_path, *more)).run.signature for more in settings]
    assert len(set(found)) == 3
    assert found[2] == prepare(configure(tiny_sd, pictures, tmp_path)).run.signature


def test_with_a_background_of_1_it_is_the_run_without(
    tiny_sd: Path, pictures: Path, masked_pictures: Path, tmp_path: Path
) -> None:
    plain = train(configure(tiny_sd, pictures, tmp_path / "plain"))
    even = train(configure(tiny_sd, masked_pictures, tmp_path / "even", "dataset.mask_background=1"))
    masked = train(configure(tiny_sd, masked_pictures, tmp_path / "masked"))
    assert losses(even) == near(losses(plain))
    assert losses(masked) != pytest.approx(losses(plain), rel=1e-2)


def test_cached_latents_and_accumulation_change_nothing(tiny_sd: Path, tmp_path: Path) -> None:
    """With a picture that has no mask, some passes have weights and others have none."""
    mixed = draw_masks(draw_pictures(tmp_path / "mixed"), left_out=1)
    common = ["hparams.batch_size=2", "dataset.flip=true", "prior=base_prediction"]
    found = []
    for number, more in enumerate(([], ["trainer.cache=false"], ["trainer.accumulation=2"])):
        found.append(losses(train(configure(tiny_sd, mixed, tmp_path / str(number), *common, *more))))
    assert found[1] == near(found[0])
    assert found[2] == near(found[0])


def test_what_the_network_says_outside_the_mask_has_no_gradient(
    tiny_sd: Path, masked_pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []
    judge = NoisePrediction.losses

    def watched(self: NoisePrediction, prediction_BCHW: torch.Tensor, *rest, **settings):
        prediction_BCHW.retain_grad()
        seen.append(prediction_BCHW)
        return judge(self, prediction_BCHW, *rest, **settings)

    monkeypatch.setattr(NoisePrediction, "losses", watched)
    settings = ["hparams.batch_size=3", "dataset.mask_background=0", "prior=base_prediction"]
    module = assembled(configure(tiny_sd, masked_pictures, tmp_path, *settings))
    disturb(module.model.roles["denoiser"])
    batch = next(batches(module))
    module.losses(batch).total.backward()
    [prediction_BCHW] = seen
    assert prediction_BCHW.grad is not None
    weights_BHW = torch.nn.functional.avg_pool2d(batch.weights_BHW, 4)
    learns_BHW = prediction_BCHW.grad.abs().sum(dim=1) > 0
    assert torch.equal(learns_BHW[:3], weights_BHW[:3] > 0)
    assert not learns_BHW[:3].all()
    assert learns_BHW[3:].all()  # the class stays as it is everywhere


def test_a_subject_that_the_frame_misses_is_told_before_anything_is_loaded(tiny_sd: Path, tmp_path: Path) -> None:
    folder = draw_masks(draw_pictures(tmp_path / "wide", count=2, size=(120, 40)))
    with pytest.raises(ConfigError) as caught:
        prepare(configure(tiny_sd, folder, tmp_path, "dataset.mask_background=0"))
    for part in ("dataset.crop=centre", "0.png, 1.png", "mask_background above 0", "crop=buckets"):
        assert part in str(caught.value)
    shutil.rmtree(tmp_path / "wide")
