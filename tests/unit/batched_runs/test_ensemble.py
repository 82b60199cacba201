"""Copies of a family have its weights in common, and nothing else that anyone changes."""

from pathlib import Path

import pytest
import torch
from families import load_tiny
from small_runs import configure, draw_pictures
from torch import nn

from imprint.batched_runs.ensemble import share_weights, sharing_copy
from imprint.models.families.sd import StableDiffusion
from imprint.planning.assemble import attach, set_modes
from imprint.planning.prepare import prepare
from imprint.training.encoding import encode_captions


@pytest.fixture
def base(tiny_sd: Path) -> StableDiffusion:
    return load_tiny(tiny_sd)


def names(model: nn.Module) -> set[str]:
    return {name for name, _ in model.named_modules()}


def test_all_weights_are_those_of_the_base(base: StableDiffusion) -> None:
    copied = sharing_copy(base)
    assert dict(copied.named_parameters()).keys() == dict(base.named_parameters()).keys()
    for name, weight in copied.named_parameters():
        assert weight is base.get_parameter(name)


@pytest.mark.parametrize("method", ["lora", "textual_inversion"])
def test_what_one_learns_is_in_no_other(method: str, base: StableDiffusion, tiny_sd: Path, tmp_path: Path) -> None:
    pictures = draw_pictures(tmp_path / "pictures")
    plan = prepare(configure(tiny_sd, pictures, tmp_path, f"method={method}", "dataset.identifier=auto"))
    one, other = sharing_copy(base), sharing_copy(base)
    before, known = names(base), len(base.vocabularies["clip_l"].tokenizer)
    attach(plan, one)
    share_weights(one, base)
    assert names(one) > before or one.words
    for untouched in (other, base):
        assert names(untouched) == before
        assert not untouched.words
        assert len(untouched.vocabularies["clip_l"].tokenizer) == known
        assert not any(weight.requires_grad for weight in untouched.parameters())
    frozen = {id(weight) for weight in one.parameters() if not weight.requires_grad}
    assert frozen == {id(weight) for weight in base.parameters()}, "a frozen weight is there twice"


def test_what_drops_out_in_one_does_not_in_another(base: StableDiffusion) -> None:
    one, other = sharing_copy(base), sharing_copy(base)
    for model in (one, other):
        for module in model.roles["denoiser"].modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.5
    next(iter(one.roles["denoiser"].parameters())).requires_grad_(True)
    set_modes(one)
    drops = {
        model: [module.training for module in model.modules() if isinstance(module, nn.Dropout)]
        for model in (one, other, base)
    }
    assert any(drops[one])
    assert not any(drops[other] + drops[base])
    assert all(module.p == 0 for module in base.modules() if isinstance(module, nn.Dropout))


def test_a_copy_computes_the_same(base: StableDiffusion) -> None:
    copied = sharing_copy(base)
    noisy_BCHW, t_B = torch.randn(2, *base.latent_shape(32, 32)), torch.tensor([3, 500])
    captions = ["a dog", "a red vase"]
    with torch.no_grad():
        mine, theirs = (model.denoise(noisy_BCHW, t_B, encode_captions(model, captions)) for model in (copied, base))
    assert torch.equal(mine, theirs)
