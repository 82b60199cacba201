"""The way from a picture back to its noise is the library's DDIM inversion."""

from pathlib import Path

import pytest
import torch
from diffusers import DDIMInverseScheduler
from diffusers.image_processor import VaeImageProcessor
from families import load_tiny
from PIL import Image, ImageDraw
from tiny import RESOLUTION, tiny_source

from imprint.errors import UserError
from imprint.models.inversion import check_invertible, invert
from imprint.models.process import Flow
from imprint.models.sampler import generator_of, starting_noise

STEPS = 5


def pictures() -> list[Image.Image]:
    found = []
    for number in range(2):
        picture = Image.new("RGB", (RESOLUTION, RESOLUTION), (60 * number, 120, 200))
        ImageDraw.Draw(picture).ellipse((4, 6, 20 + number, 24), fill=(220, 40, 40))
        found.append(picture)
    return found


@pytest.mark.parametrize("model", ["tiny_sd", "tiny_sd_v"])
def test_it_is_the_librarys(model: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(model)
    own = load_tiny(folder)
    config = own.scheduler("DDIMScheduler").config
    scheduler = DDIMInverseScheduler.from_config(config)
    scheduler.set_timesteps(STEPS)
    with torch.no_grad():
        latents_BCHW = own.encode(VaeImageProcessor().preprocess(pictures())).mean_BCHW
        conditioning = own.encode_text(["", ""], empty_is_unconditional=True)
        for timestep in scheduler.timesteps:
            prediction_BCHW = own.denoise(latents_BCHW, timestep.expand(2), conditioning)
            latents_BCHW = scheduler.step(prediction_BCHW, timestep, latents_BCHW).prev_sample
    found_BCHW = invert(own, pictures(), steps=STEPS)
    assert (found_BCHW - latents_BCHW).abs().max() < 1e-3 * latents_BCHW.abs().max()


def test_a_model_of_flow_is_refused(tiny_sd: Path) -> None:
    facts = tiny_source(tiny_sd).facts()
    check_invertible(facts)
    with pytest.raises(UserError, match="predicts flow cannot be traced"):
        check_invertible(facts._replace(process=Flow(1000)))


def test_a_picture_begins_with_its_seeds_first_numbers() -> None:
    generator = torch.Generator().manual_seed(2**40 + 7)
    assert torch.equal(starting_noise(generator_of(2**40 + 7), (4, 8, 8)), torch.randn(4, 8, 8, generator=generator))
