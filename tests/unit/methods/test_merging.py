"""Merged for drawing, adapters do what they did beside their layers, and nothing of it stays."""

from pathlib import Path

import pytest
import torch
from drawing import ROUNDING, distance, disturb, draw
from lessons import assembled
from small_runs import configure
from torch import Tensor

from imprint.families.base import Family
from imprint.methods.adapter_layers import layers
from imprint.methods.merging import merge_exactly, merged
from imprint.training.conditioning import encode_captions
from imprint.training.module import Personalisation

CLOSE = 8e-6
EVERYWHERE = ["method.roles=[denoiser,text]", "method.targets=[attention,feed_forward]"]
METHODS = {
    "lora": ["method=lora", *EVERYWHERE],
    "convolutions": ["method=lora", "method.targets=convolutions"],
    "dora": ["method=lora", "method.use_dora=true", *EVERYWHERE],
    "dylora": ["method=dylora", "method.rank=4"],
    "loha": ["method=loha", *EVERYWHERE],
    "lokr": ["method=lokr", *EVERYWHERE],
    "textual_inversion": ["method=textual_inversion", "dataset.identifier='<new>'"],
}


@pytest.fixture(params=METHODS)
def module(request: pytest.FixtureRequest, tiny_sd: Path, pictures: Path, tmp_path: Path) -> Personalisation:
    """One that has learned something."""
    found = assembled(configure(tiny_sd, pictures, tmp_path, *METHODS[request.param]))
    disturb(torch.nn.ParameterList(found.trained()))
    return found


@torch.no_grad()
def prediction(family: Family) -> Tensor:
    family.eval()
    noisy_BCHW = torch.randn(2, *family.latent_shape(32, 32), generator=torch.Generator().manual_seed(0))
    return family.denoise(noisy_BCHW, torch.tensor([10, 800]), encode_captions(family, ["a sks dog", "a cat"]))


def test_the_prediction_stays_and_so_does_every_weight(module: Personalisation) -> None:
    family = module.family
    before = {name: weight.clone() for name, weight in family.state_dict().items()}
    expected, pictures = prediction(family), draw(family)
    with merged(family.roles.values()):
        assert torch.allclose(prediction(family), expected, atol=CLOSE * float(expected.abs().max()))
        assert distance(draw(family), pictures) <= ROUNDING
        assert all(layer.merged for part in family.roles.values() for layer in layers(part).values())
    assert not any(layer.merged for part in family.roles.values() for layer in layers(part).values())
    after = family.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], weight) for name, weight in before.items())
    assert torch.equal(prediction(family), expected)


def test_they_are_put_back_after_an_error(module: Personalisation) -> None:
    expected = prediction(module.family)
    with pytest.raises(KeyboardInterrupt), merged(module.family.roles.values()):
        raise KeyboardInterrupt
    assert torch.equal(prediction(module.family), expected)


def test_merged_for_good_they_are_plain_layers(module: Personalisation) -> None:
    expected = prediction(module.family)
    merge_exactly(module.family.roles.values())
    assert not any(layers(part) for part in module.family.roles.values())
    assert torch.allclose(prediction(module.family), expected, atol=CLOSE * float(expected.abs().max()))


def test_weights_of_less_precision_would_lose_some_of_it_and_stay(module: Personalisation) -> None:
    module.family.cast_frozen(torch.bfloat16)
    with merged(module.family.roles.values()):
        assert not any(layer.merged for part in module.family.roles.values() for layer in layers(part).values())
