"""The algebra of noise, held against its invariants."""

import diffusers
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, EulerDiscreteScheduler, FlowMatchEulerDiscreteScheduler
from torch import Tensor

from imprint.models.process import Diffusion, Flow, NoiseProcess, Prediction, alphas_from_betas
from imprint.models.schedulers import FLOW_SAMPLERS, build_scheduler, noise_process, stored_prediction, with_timesteps

SD = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}
PREDICTIONS: list[Prediction] = ["epsilon", "v_prediction", "flow"]
INSTALLED = [name for name in FLOW_SAMPLERS if not hasattr(getattr(diffusers, name), "_backends")]
NAMES = [(0, "timestep", f"sample {index}") for index in range(2000)]


def make(prediction: Prediction, **changes: object) -> Diffusion:
    return Diffusion(alphas_from_betas(DDIMScheduler(**SD, **changes).betas), prediction)


def process_of(prediction: Prediction) -> NoiseProcess:
    return Flow(1000) if prediction == "flow" else make(prediction)


def times(process: NoiseProcess) -> Tensor:
    """From almost none of the noise to almost nothing else."""
    return process.time_of(torch.tensor([1, 10, 100, 500, 900, 998]))


@pytest.fixture
def sample() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 4, 3, 3, generator=generator), torch.randn(6, 4, 3, 3, generator=generator)


class TestAlgebra:
    @pytest.mark.parametrize("prediction", PREDICTIONS)
    def test_a_perfect_prediction_recovers_latents_and_noise(self, prediction: Prediction, sample: tuple) -> None:
        latents, noise = sample
        process = process_of(prediction)
        t = times(process)
        noisy = process.add_noise(latents, noise, t)
        recovered, recovered_noise = process.recover(process.target(latents, noise, t), noisy, t)
        assert torch.allclose(recovered, latents, atol=2e-4)
        assert torch.allclose(recovered_noise, noise, atol=2e-4)

    @pytest.mark.parametrize("prediction", PREDICTIONS)
    def test_what_any_prediction_implies_mixes_to_the_noisy_latents(
        self, prediction: Prediction, sample: tuple
    ) -> None:
        """And has that prediction as its target."""
        noisy, predicted = sample
        process = process_of(prediction)
        t = times(process)
        latents, noise = process.recover(predicted, noisy, t)
        scale = max(float(latents.abs().max()), 1.0)
        assert torch.allclose(process.add_noise(latents, noise, t), noisy, atol=1e-5 * scale)
        assert torch.allclose(process.target(latents, noise, t), predicted, atol=1e-5 * scale)

    @pytest.mark.parametrize("prediction", PREDICTIONS)
    def test_the_error_of_latents_is_that_of_what_a_wrong_prediction_implies(
        self, prediction: Prediction, sample: tuple
    ) -> None:
        noisy, predicted = sample
        process = process_of(prediction)
        t = times(process)
        error = 0.5
        implied = process.recover(predicted, noisy, t)[0] - process.recover(predicted + error, noisy, t)[0]
        expected = error**2 / implied.square().flatten(1).mean(dim=1)
        torch.testing.assert_close(process.error_of_latents(t), expected, rtol=1e-3, atol=0)

    @pytest.mark.parametrize("prediction", PREDICTIONS)
    def test_snr_is_the_power_of_signal_over_noise_and_falls(self, prediction: Prediction) -> None:
        process = process_of(prediction)
        t = process.time_of(torch.arange(1, 999))
        one, none = torch.ones(len(t), 1, 1, 1), torch.zeros(len(t), 1, 1, 1)
        signal, noise = process.add_noise(one, none, t), process.add_noise(none, one, t)
        torch.testing.assert_close(process.snr(t), (signal / noise).square().flatten())
        assert (process.snr(t).diff() < 0).all()

    @pytest.mark.parametrize("prediction", PREDICTIONS)
    def test_a_time_is_its_timestep(self, prediction: Prediction) -> None:
        process, timesteps = process_of(prediction), torch.tensor([1, 250, 999])
        torch.testing.assert_close(process.timestep_of(process.time_of(timesteps)).float(), timesteps.float())


class TestDiffusion:
    @pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
    def test_noising_and_targets_are_those_of_the_library(self, prediction: Prediction, sample: tuple) -> None:
        latents, noise = sample
        process, theirs = make(prediction), DDPMScheduler(**SD, prediction_type=prediction)
        t = times(process)
        assert torch.allclose(process.add_noise(latents, noise, t), theirs.add_noise(latents, noise, t), atol=1e-5)
        target = noise if prediction == "epsilon" else theirs.get_velocity(latents, noise, t)
        assert torch.allclose(process.target(latents, noise, t), target, atol=1e-5)

    def test_noising_keeps_the_variance(self) -> None:
        generator = torch.Generator().manual_seed(0)
        latents, noise = torch.randn(2, 64, 4, 16, 16, generator=generator).unbind()
        noisy = make("epsilon").add_noise(latents, noise, torch.arange(0, 1000, 16)[:64].clamp(max=999).repeat(2)[:64])
        assert abs(float(noisy.var()) - 1) < 0.02

    def test_zero_terminal_snr_is_seen(self) -> None:
        assert not make("v_prediction").has_zero_terminal_snr
        rescaled = make("v_prediction", rescale_betas_zero_snr=True)
        assert rescaled.has_zero_terminal_snr
        last = torch.tensor([999])
        noise, latents = torch.randn(2, 1, 4, 2, 2).unbind()
        assert torch.equal(rescaled.add_noise(latents, noise, last), noise)
        assert torch.equal(rescaled.target(latents, noise, last), -latents)

    def test_the_table_stays_exact_when_weights_are_cast(self) -> None:
        process = make("epsilon")
        assert "alphas_T" not in process.state_dict()
        assert process.alphas_T.dtype == torch.float32


class TestFlow:
    def test_noising_is_that_of_the_library(self, sample: tuple) -> None:
        latents, noise = sample
        theirs = FlowMatchEulerDiscreteScheduler()
        timesteps = theirs.timesteps[[1, 10, 100, 500, 900, 998]]
        process = Flow(1000)
        ours = process.add_noise(latents, noise, process.time_of(timesteps))
        torch.testing.assert_close(ours, theirs.scale_noise(latents, timesteps, noise))

    def test_the_target_is_the_velocity_from_latents_to_noise(self, sample: tuple) -> None:
        latents, noise = sample
        process, t = Flow(1000), torch.full((6,), 0.3)
        torch.testing.assert_close(
            process.add_noise(latents, noise, t) + 0.5 * process.target(latents, noise, t),
            process.add_noise(latents, noise, t + 0.5),
        )

    def test_the_last_time_is_all_noise(self, sample: tuple) -> None:
        latents, noise = sample
        process, last = Flow(1000), torch.ones(6)
        assert process.has_zero_terminal_snr
        assert torch.equal(process.add_noise(latents, noise, last), noise)
        assert not process.snr(last).any()

    def test_times_are_uniform_above_the_first_timestep(self) -> None:
        """And up to the last one: a time without noise has nothing to predict, one without a latent has."""
        t = Flow(1000).draw_times(NAMES, 0, 1000)
        assert 0 < float(t.min()) < 0.01
        assert 0.99 < float(t.max()) <= 1
        assert abs(float(t.mean()) - 0.5) < 0.02
        assert abs(float(t.std()) - 12**-0.5) < 0.02

    def test_times_stay_between_the_given_timesteps(self) -> None:
        t = Flow(1000).draw_times(NAMES, 200, 300)
        assert 0.2 < float(t.min()) < 0.201
        assert 0.299 < float(t.max()) <= 0.3

    def test_times_are_by_name_alone(self) -> None:
        flow = Flow(1000)
        together = flow.draw_times(NAMES[:8], 0, 1000)
        assert torch.equal(together, torch.cat([flow.draw_times([name], 0, 1000) for name in NAMES[:8]]))
        assert len(set(together.tolist())) == 8


class TestOfCheckpoints:
    """Which process it is follows from the configuration of a checkpoint's scheduler."""

    def test_a_flow_scheduler_means_a_flow(self) -> None:
        config = dict(FlowMatchEulerDiscreteScheduler(num_train_timesteps=500, shift=3.0).config)
        config["_class_name"] = "FlowMatchEulerDiscreteScheduler"
        prediction = stored_prediction(config)
        assert prediction == "flow"
        process = noise_process(config, prediction, patch=1)
        assert isinstance(process, Flow)
        assert process.length == 500

    @pytest.mark.parametrize(("said", "prediction"), [("epsilon", "epsilon"), ("v_prediction", "v_prediction")])
    def test_betas_mean_a_diffusion(self, said: str, prediction: Prediction) -> None:
        config = {"_class_name": "EulerDiscreteScheduler", **SD, "prediction_type": said}
        assert stored_prediction(config) == prediction
        process = noise_process(config, prediction, patch=1)
        assert isinstance(process, Diffusion)
        torch.testing.assert_close(process.alphas_T, EulerDiscreteScheduler(**SD).alphas_cumprod)

    @pytest.mark.parametrize(
        "scheduler", ["UniPCMultistepScheduler", "DPMSolverMultistepScheduler", "EulerDiscreteScheduler"]
    )
    def test_a_flow_prediction_of_a_scheduler_with_betas_is_a_flow(self, scheduler: str) -> None:
        """Even of one that cannot sample a flow, as the one that Stable Diffusion XL is published with."""
        config = {"_class_name": scheduler, **SD, "prediction_type": "flow_prediction"}
        prediction = stored_prediction(config)
        assert prediction == "flow"
        assert isinstance(noise_process(config, prediction, patch=1), Flow)
        assert build_scheduler(config, "model", prediction).config.use_flow_sigmas

    def test_an_unknown_prediction_is_none(self) -> None:
        assert stored_prediction({"_class_name": "DDIMScheduler", "prediction_type": "sample"}) is None

    @pytest.mark.parametrize("name", INSTALLED)
    def test_every_sampler_of_flows_starts_from_all_noise(self, name: str) -> None:
        config = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000, "shift": 1.0}
        scheduler = build_scheduler(config, name, "flow")
        scheduler.set_timesteps(4)
        first = Flow(1000).time_of(scheduler.timesteps[:1].float())
        assert 0.99 < float(first) <= 1.0

    @pytest.mark.parametrize("name", INSTALLED)
    @pytest.mark.parametrize("by_resolution", [True, False])
    def test_every_sampler_of_flows_keeps_the_schedules_shift(self, name: str, by_resolution: bool) -> None:
        """Some of the library's schedulers call a constant one by another name, and some know no other."""
        shape = (16, 64, 64)
        own = {"_class_name": "FlowMatchEulerDiscreteScheduler", "num_train_timesteps": 1000}
        dynamic = {"use_dynamic_shifting": True, "base_shift": 0.5, "max_shift": 1.15, "shift": 3.0}
        config = {**own, **(dynamic if by_resolution else {"shift": 3.0})}
        shift = noise_process(config, "flow", patch=2).shift
        assert shift is not None
        assert (shift.factor(shape) == 3.0) is not by_resolution
        drawn = [
            with_timesteps(
                build_scheduler(settings, name, "flow"),
                8,
                shift=noise_process(settings, "flow", patch=2).shift,
                latent_shape=shape,
                sigmas=None,
                device=torch.device("cpu"),
            ).timesteps.float()
            for settings in (config, {**own, "shift": 1.0})
        ]
        middling = len(drawn[0]) // 2
        assert float(drawn[0][middling]) > float(drawn[1][middling]) + 100
