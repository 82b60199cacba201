"""Merged for drawing, adapters do what they did beside their layers, and nothing of it stays."""

from pathlib import Path

import pytest
import torch
from drawing import ROUNDING, distance, disturb, draw
from lessons import assembled
from peft import LoraConfig, inject_adapter_in_model
from small_runs import configure
from torch import Tensor

from imprint.methods.adapter_layers import layers, merge_exactly, merged
from imprint.models.base import Model
from imprint.models.roles import DENOISER
from imprint.training.encoding import encode_captions
from imprint.training.module import TrainingModule

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
def module(request: pytest.FixtureRequest, tiny_sd: Path, pictures: Path, tmp_path: Path) -> TrainingModule:
    """One that has learned something."""
    found = assembled(configure(tiny_sd, pictures, tmp_path, *METHODS[request.param]))
    disturb(torch.nn.ParameterList(found.trained()))
    return found


@torch.no_grad()
def prediction(model: Model) -> Tensor:
    model.eval()
    noisy_BCHW = torch.randn(2, *model.latent_shape(32, 32), generator=torch.Generator().manual_seed(0))
    return model.denoise(noisy_BCHW, torch.tensor([10, 800]), encode_captions(model, ["a sks dog", "a cat"]))


def test_the_prediction_stays_and_so_does_every_weight(module: TrainingModule) -> None:
    model = module.model
    before = {name: weight.clone() for name, weight in model.state_dict().items()}
    expected, pictures = prediction(model), draw(model)
    with merged(model.roles.values()):
        assert torch.allclose(prediction(model), expected, atol=CLOSE * float(expected.abs().max()))
        assert distance(draw(model), pictures) <= ROUNDING
        assert all(layer.merged for part in model.roles.values() for layer in layers(part).values())
    assert not any(layer.merged for part in model.roles.values() for layer in layers(part).values())
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], weight) for name, weight in before.items())
    assert torch.equal(prediction(model), expected)


def test_they_are_put_back_after_an_error(module: TrainingModule) -> None:
    expected = prediction(module.model)
    with pytest.raises(KeyboardInterrupt), merged(module.model.roles.values()):
        raise KeyboardInterrupt
    assert torch.equal(prediction(module.model), expected)


def test_merged_for_good_they_are_plain_layers(module: TrainingModule) -> None:
    expected = prediction(module.model)
    merge_exactly(module.model.roles.values())
    assert not any(layers(part) for part in module.model.roles.values())
    assert torch.allclose(prediction(module.model), expected, atol=CLOSE * float(expected.abs().max()))


def test_merged_for_good_they_make_room_for_others(module: TrainingModule, recwarn: pytest.WarningsRecorder) -> None:
    merge_exactly(module.model.roles.values())
    inject_adapter_in_model(LoraConfig(r=2, target_modules=["to_q"]), module.model.roles[DENOISER], "default")
    assert layers(module.model.roles[DENOISER])
    assert not [warning for warning in recwarn if "peft_config" in str(warning.message)]


def test_weights_of_less_precision_would_lose_some_of_it_and_stay(module: TrainingModule) -> None:
    module.model.cast_frozen(torch.bfloat16)
    with merged(module.model.roles.values()):
        assert not any(layer.merged for part in module.model.roles.values() for layer in layers(part).values())
