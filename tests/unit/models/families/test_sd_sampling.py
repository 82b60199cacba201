"""Pictures: the library's own, repeatable, and independent of their batch."""

from pathlib import Path

import diffusers
import numpy as np
import pytest
import torch
from drawing import AS_TRAINED, PROMPTS, ROUNDING, SEEDS, distance, draw, draw_stock, stock
from tiny import RESOLUTION, tiny_pipeline, tiny_source

from imprint.errors import UserError
from imprint.models.families.sd import StableDiffusion
from imprint.models.schedulers import DIFFUSION_SAMPLERS

INSTALLED = [name for name in DIFFUSION_SAMPLERS if not hasattr(getattr(diffusers, name), "_backends")]
DRAWING_NOISE = {
    "DDPMScheduler",
    "EulerAncestralDiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler",
    "LCMScheduler",
    "SASolverScheduler",
}


@pytest.fixture(scope="module")
def model(tiny_sd: Path) -> StableDiffusion:
    return tiny_source(tiny_sd).load()


@pytest.mark.parametrize("model", ["tiny_sd", "tiny_sd_v"])
def test_pictures_are_those_of_the_stock_pipeline(model: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(model)
    assert distance(draw(tiny_source(folder).load()), draw_stock(stock(folder))) <= ROUNDING


def test_prompt_seed_guidance_and_negative_prompt_matter(model: StableDiffusion) -> None:
    (picture,) = draw(model, prompts=["a dog"], seeds=[1])
    others = [
        draw(model, prompts=["a cat"], seeds=[1]),
        draw(model, prompts=["a dog"], seeds=[2]),
        draw(model, AS_TRAINED._replace(guidance=9.0), ["a dog"], [1]),
        draw(model, AS_TRAINED._replace(negative_prompt="snow"), ["a dog"], [1]),
    ]
    assert all(distance([picture], other) > ROUNDING for other in others)


@pytest.mark.parametrize("guidance", [0.0, 1.0])
def test_without_guidance_the_negative_prompt_is_not_used(guidance: float, model: StableDiffusion) -> None:
    plain = AS_TRAINED._replace(guidance=guidance)
    assert distance(draw(model, plain), draw(model, plain._replace(negative_prompt="snow"))) == 0


@pytest.mark.parametrize("scheduler", ["model", *INSTALLED])
def test_a_picture_does_not_depend_on_its_batch(scheduler: str, model: StableDiffusion) -> None:
    sampler = AS_TRAINED._replace(scheduler=scheduler)
    batch = draw(model, sampler)
    alone = [draw(model, sampler, [prompt], [seed])[0] for prompt, seed in zip(PROMPTS, SEEDS, strict=True)]
    assert distance(batch, alone) <= ROUNDING
    assert distance(batch, draw(model, sampler)) == 0
    assert np.asarray(batch[0]).std() > 1


@pytest.mark.parametrize("scheduler", sorted(DRAWING_NOISE))
def test_noise_on_the_way_does_not_come_from_the_global_generator(scheduler: str, model: StableDiffusion) -> None:
    sampler = AS_TRAINED._replace(scheduler=scheduler)
    torch.manual_seed(0)
    before = draw(model, sampler)
    torch.manual_seed(1)
    assert distance(before, draw(model, sampler)) == 0


def test_drawing_leaves_the_global_generator_alone(model: StableDiffusion) -> None:
    state = torch.get_rng_state()
    draw(model, AS_TRAINED._replace(scheduler="EulerAncestralDiscreteScheduler"))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("scheduler", ["model", "DDIMScheduler", "EulerDiscreteScheduler"])
def test_zero_terminal_snr_is_sampled(scheduler: str, tmp_path: Path) -> None:
    model = tiny_source(tiny_pipeline(tmp_path, prediction="v_prediction", zero_snr=True)).load()
    (picture,) = draw(model, AS_TRAINED._replace(scheduler=scheduler), ["a dog"], [1])
    assert np.asarray(picture).std() > 1


def test_an_overridden_prediction_is_sampled_as_such(tiny_sd: Path) -> None:
    as_v = draw(tiny_source(tiny_sd, prediction="v_prediction").load())
    assert distance(as_v, draw(tiny_source(tiny_sd).load())) > ROUNDING


@pytest.mark.parametrize("low", [("text_encoder",), ("text_encoder", "vae"), ("unet", "text_encoder", "vae")])
@pytest.mark.parametrize("autocast", [False, True])
def test_networks_may_have_different_precisions(low: tuple[str, ...], autocast: bool, tiny_sd: Path) -> None:
    model = tiny_source(tiny_sd).load()
    exact = draw(model)
    for part in low:
        getattr(model, part).to(torch.bfloat16)
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
        pictures = draw(model)
    difference = np.abs(np.asarray(pictures[0], dtype=int) - np.asarray(exact[0], dtype=int))
    assert difference.mean() < 10


def test_modes_and_gradients_are_left_as_they_were(tiny_sd: Path) -> None:
    model = tiny_source(tiny_sd).load()
    model.unet.requires_grad_(True).train()
    model.unet.mid_block.eval()
    modes = [module.training for module in model.modules()]
    draw(model)
    assert [module.training for module in model.modules()] == modes
    assert all(parameter.grad is None for parameter in model.parameters())


def test_dropout_is_off_while_drawing(tiny_sd: Path) -> None:
    model = tiny_source(tiny_sd).load()
    expected = draw(model)
    model.unet.down_blocks[0].resnets[0].dropout.p = 0.9
    model.train()
    assert distance(draw(model), expected) == 0


def test_oblong_pictures(model: StableDiffusion) -> None:
    (picture,) = model.generate(["a dog"], [1], sampler=AS_TRAINED, height=RESOLUTION, width=2 * RESOLUTION)
    assert picture.size == (2 * RESOLUTION, RESOLUTION)


def test_sizes_that_cannot_be_drawn_are_named(model: StableDiffusion) -> None:
    with pytest.raises(UserError, match=r"width=33: this model needs a multiple of 8"):
        model.generate(["a dog"], [1], sampler=AS_TRAINED, height=RESOLUTION, width=33)


def test_a_scheduler_that_is_none(model: StableDiffusion) -> None:
    with pytest.raises(UserError, match="EulerDiscreteScheduler"):
        draw(model, AS_TRAINED._replace(scheduler="EulerDiscreteSheduler"))


def test_nothing_is_printed(model: StableDiffusion, capfd: pytest.CaptureFixture[str]) -> None:
    draw(model)
    assert capfd.readouterr() == ("", "")
