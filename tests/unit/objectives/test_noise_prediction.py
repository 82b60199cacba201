"""The loss: per-sample weights before the split into instance and prior."""

import pytest
import torch

from imprint.models.process import Diffusion, Prediction
from imprint.objectives import times
from imprint.objectives.noise_prediction import NoisePrediction
from imprint.objectives.weighting import MinSNR, Uniform, Weighting


def make(weighting: Weighting | None = None, **changes: object) -> NoisePrediction:
    settings: dict = {
        "weighting": weighting or Uniform(),
        "times": times.Uniform(shift=None),
        "noise_offset": 0.0,
        "timesteps": (0, 1000),
    }
    return NoisePrediction(**{**settings, **changes})


def schedule(prediction: Prediction = "epsilon", length: int = 1000) -> Diffusion:
    return Diffusion(torch.linspace(0.999, 0.005, length), prediction)


def losses(objective: NoisePrediction, is_prior: list[bool], prior_weight: float, t: list[int] | None = None):
    generator = torch.Generator().manual_seed(0)
    prediction, target = torch.randn(2, len(is_prior), 4, 2, 2, generator=generator).unbind()
    t_B = torch.tensor(t or [10] * len(is_prior))
    result = objective.losses(
        prediction,
        target,
        process=schedule(),
        t_B=t_B,
        is_prior_B=torch.tensor(is_prior),
        prior_weight=prior_weight,
    )
    return result, (prediction - target).square().flatten(1).mean(1), t_B


@pytest.mark.parametrize("is_prior", [[False, True], [False, False, True, True], [True, False, False], [False, False]])
def test_both_parts_are_means_over_their_own_samples(is_prior: list[bool]) -> None:
    result, errors, _ = losses(make(), is_prior, prior_weight=0.5)
    mask = torch.tensor(is_prior)
    expected_prior = errors[mask].mean() if mask.any() else torch.tensor(torch.nan)
    assert torch.allclose(result.instance, errors[~mask].mean())
    assert torch.allclose(result.prior, expected_prior, equal_nan=True)
    assert torch.allclose(result.total, result.instance + 0.5 * expected_prior.nan_to_num())


def test_weights_reach_instance_and_prior_samples_by_their_own_timestep() -> None:
    """Weights computed for the whole batch and applied to one half of it are a known mistake."""
    weighting = MinSNR(gamma=5.0)
    result, errors, t_B = losses(make(weighting), [False, False, True, True], 1.0, t=[5, 900, 100, 30])
    weights = weighting.weights(schedule(), t_B)
    assert len(set(weights.tolist())) == 4
    assert torch.allclose(result.per_sample_B, errors * weights)
    assert torch.allclose(result.instance, (errors * weights)[:2].mean())
    assert torch.allclose(result.prior, (errors * weights)[2:].mean())


class TestPixelWeights:
    """A sample's error is the mean weighted by its mask, whatever area that has."""

    @staticmethod
    def losses(weights_BHW: torch.Tensor | None, error_BCHW: torch.Tensor, weighting: Weighting | None = None):
        count = len(error_BCHW)
        return make(weighting).losses(
            error_BCHW.sqrt(),
            torch.zeros_like(error_BCHW),
            process=schedule(),
            t_B=torch.tensor([10, 900, 300][:count]),
            is_prior_B=torch.zeros(count, dtype=torch.bool),
            prior_weight=0.0,
            weights_BHW=weights_BHW,
        )

    def test_by_hand(self) -> None:
        error_BCHW = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]])
        # each latent pixel stands for two by two: its weights are 1, 0.5, 0 and 0.25
        pixels_BHW = torch.tensor([[[1, 1, 1, 0.0], [1, 1, 0, 1], [0, 0, 0, 0], [0, 0, 0, 1]]])
        expected = (1 * (1 + 5) + 0.5 * (2 + 6) + 0.25 * (4 + 8)) / 2 / 1.75
        assert self.losses(pixels_BHW, error_BCHW).total.item() == pytest.approx(expected, rel=1e-6)

    def test_the_scale_does_not_depend_on_the_masks_area(self) -> None:
        found = []
        for side in (1, 4, 8):
            weights_BHW = torch.zeros(1, 16, 16)
            weights_BHW[:, : 2 * side, : 2 * side] = 1
            found.append(self.losses(weights_BHW, torch.full((1, 4, 8, 8), 3.0)).total.item())
        assert found == pytest.approx([3.0] * 3, rel=1e-6)

    def test_all_pixels_alike_is_no_mask(self) -> None:
        error_BCHW = torch.rand(3, 4, 8, 8, generator=torch.Generator().manual_seed(0))
        for weight in (1.0, 0.1):
            masked = self.losses(torch.full((3, 32, 32), weight), error_BCHW, MinSNR(gamma=5.0))
            torch.testing.assert_close(masked, self.losses(None, error_BCHW, MinSNR(gamma=5.0)), equal_nan=True)

    def test_nothing_is_learned_where_nothing_counts(self) -> None:
        prediction_BCHW = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
        weights_BHW = torch.ones(2, 32, 32)
        weights_BHW[0, :16] = 0
        self.losses(weights_BHW, prediction_BCHW.square()).total.backward()
        assert prediction_BCHW.grad is not None
        assert not prediction_BCHW.grad[0, :, :4].any()
        assert prediction_BCHW.grad[0, :, 4:].all()
        assert prediction_BCHW.grad[1].all()


def test_min_snr_has_the_right_form_for_each_prediction() -> None:
    """A loss on x weighted by min(SNR, gamma) is the same, whichever way the network says x."""
    t_B = torch.tensor([1, 50, 300, 700, 950])
    generator = torch.Generator().manual_seed(0)
    latents, noise, wrong = torch.randn(3, 5, 4, 2, 2, generator=generator, dtype=torch.float64).unbind()
    on_latents = {}
    for prediction in ("epsilon", "v_prediction"):
        process = schedule(prediction)
        noisy = process.add_noise(latents, noise, t_B)
        said = process.target(latents, noise, t_B) + 0.1 * wrong
        error_B = (said - process.target(latents, noise, t_B)).square().flatten(1).mean(1)
        recovered, _ = process.recover(said, noisy, t_B)
        latent_error_B = (recovered - latents).square().flatten(1).mean(1)
        weighted_B = error_B * MinSNR(gamma=5.0).weights(process, t_B)
        expected_B = latent_error_B * process.snr(t_B).clamp(max=5.0)
        assert torch.allclose(weighted_B, expected_B, rtol=1e-4)
        on_latents[prediction] = weighted_B
    assert not torch.allclose(on_latents["epsilon"], on_latents["v_prediction"])


def test_timesteps_keep_to_their_range_and_are_drawn_by_name() -> None:
    objective = make(timesteps=(200, 203))
    ids = [f"instance/{position}" for position in range(60)]
    drawn = objective.sample_timesteps(0, ids, schedule(), (4, 8, 8))
    assert set(drawn.tolist()) == {200, 201, 202}
    assert torch.equal(drawn[7:9], objective.sample_timesteps(0, ids[7:9], schedule(), (4, 8, 8)))


def test_an_offset_shifts_whole_channels() -> None:
    ids = [f"instance/{position}" for position in range(400)]
    plain = make().sample_noise(0, ids, (2, 4, 4))
    shifted = make(noise_offset=0.5).sample_noise(0, ids, (2, 4, 4))
    shift = shifted - plain
    assert torch.allclose(shift, shift.mean(dim=(2, 3), keepdim=True).expand_as(shift), atol=1e-6)
    assert abs(float(shift[:, :, 0, 0].std()) - 0.5) < 0.05


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(ValueError, match="first must be below"):
        make(timesteps=(500, 500))
