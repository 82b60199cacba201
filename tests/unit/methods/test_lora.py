"""What adapters are asked for is checked before a model is loaded, and they go where they were asked to."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from drawing import disturb
from families import load_tiny
from lessons import assembled, batches, gradients
from small_runs import configure
from torch import nn

from imprint.errors import ConfigError, UserError
from imprint.methods.adapter_layers import layers, merge, weights, write_weights
from imprint.methods.lora import DESCRIPTION, FILE, LoRA
from imprint.models.families.sd import StableDiffusionSource
from imprint.planning.prepare import prepare
from imprint.types import Concept

DOG = Concept("sks", "dog")


def lora(**settings: Any) -> LoRA:
    usual = {
        "roles": ["denoiser"],
        "targets": "attention",
        "rank": 4,
        "alpha": 2.0,
        "text_rank": 2,
        "text_alpha": 3.0,
        "dropout": 0.0,
        "init": "gaussian",
        "use_dora": False,
        "use_rslora": False,
        "lr": 1e-4,
        "text_lr": 1e-5,
        "by_role": None,
        "templates": ["a {identifier}"],
    }
    return LoRA(**{**usual, **settings})


@pytest.mark.parametrize("method", ["lora", "loha", "lokr"])
@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["method.rank=0"], "method.rank=0"),
        (["method.text_rank=-1"], "method.text_rank=-1"),
        (["method.alpha=0"], "method.alpha=0"),
        (["method.dropout=1"], "method.dropout=1"),
        (["method.dropout=-0.1"], "method.dropout=-0.1"),
        (["method.targets=atention"], "method.targets='atention'"),
        (["method.targets=[attention,ff]"], "'ff'"),
        (["method.targets=[]"], "targets=[]: no layer would learn"),
        (["method.targets=[attention,attention]"], "name each kind once"),
        (["method.roles=[]"], "nothing would learn"),
        (["method.roles=[text,text]"], "name each part once"),
        (["method.roles=[denoiser,txt]"], "no part 'txt'"),
        (["method.roles=[text]", "method.targets=convolutions"], "text has none of these layers. It has attention"),
        (["method.templates=['{name}']"], "{name} is unknown"),
        (["+method.ranks=3"], "did you mean"),
    ],
)
def test_settings_without_a_sense_are_refused_before_loading(
    method: str,
    settings: list[str],
    expected: str,
    tiny_sd: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(StableDiffusionSource, "load", lambda self: pytest.fail("the model was loaded"))
    with pytest.raises(ConfigError) as caught:
        prepare(configure(tiny_sd, pictures, tmp_path, f"method={method}", *settings))
    assert expected in str(caught.value)


@pytest.mark.parametrize("setting", ["method.init=pissa", "method.use_dora=maybe"])
def test_what_only_lora_has_is_checked_too(setting: str, tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    key, _, value = setting.partition("=")
    with pytest.raises(ConfigError, match=f"{key}='{value}'"):
        prepare(configure(tiny_sd, pictures, tmp_path, "method=lora", setting))


@pytest.mark.parametrize(
    ("targets", "wrapped"),
    [
        ("attention", {"to_q", "to_k", "to_v", "to_out.0"}),
        ("feed_forward", {"ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"}),
        ("convolutions", {"conv1", "conv2", "conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv"}),
    ],
)
def test_every_layer_of_the_chosen_kinds_and_no_other_is_wrapped(
    targets: str, wrapped: set[str], tiny_sd: Path
) -> None:
    model = load_tiny(tiny_sd)
    expected = {
        name
        for name, module in model.unet.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d) and name.endswith(tuple(f".{ending}" for ending in wrapped))
    }
    lora(targets=targets).attach(model, [DOG])
    assert expected
    assert set(layers(model.unet)) == expected
    assert not layers(model.text_encoder)


def test_what_trains_is_what_was_returned(tiny_sd: Path) -> None:
    model = load_tiny(tiny_sd)
    groups = lora(roles=["denoiser", "text"]).attach(model, [DOG])
    returned = {id(parameter) for group in groups for parameter in group.params}
    assert returned == {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    assert [(group.name, group.lr) for group in groups] == [("denoiser", 1e-4), ("text", 1e-5)]


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0, 1.5])
def test_a_merge_leaves_plain_layers_between_the_untuned_and_the_tuned(strength: float, tiny_sd: Path) -> None:
    model = load_tiny(tiny_sd)
    untuned = {name: weight.clone() for name, weight in model.unet.state_dict().items()}
    [group] = lora().attach(model, [DOG])
    disturb(nn.ParameterList(group.params))
    layer: Any = layers(model.unet)["mid_block.attentions.0.transformer_blocks.0.attn1.to_q"]
    update = layer.lora_B["default"].weight @ layer.lora_A["default"].weight * (2.0 / 4)
    merge(model.unet, strength)
    merged = model.unet.state_dict()
    assert merged.keys() == untuned.keys()
    name = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight"
    torch.testing.assert_close(merged[name], untuned[name] + strength * update)
    assert update.abs().max() > 1e-3


@pytest.mark.parametrize("other", [{"targets": ["attention", "feed_forward"]}, {"rank": 3}])
def test_adapters_for_layers_of_another_model_are_refused(other: dict[str, Any], tiny_sd: Path, tmp_path: Path) -> None:
    model = load_tiny(tiny_sd)
    lora(**other).attach(model, [DOG])
    lora(**other).save(model, tmp_path)
    with pytest.raises(UserError, match="other layers than those of this model's denoiser"):
        lora().load(load_tiny(tiny_sd), tmp_path, scale={})


def test_a_result_goes_into_another_checkpoint_of_the_family(tiny_sd: Path, tiny_sd_v: Path, tmp_path: Path) -> None:
    trained, other = load_tiny(tiny_sd), load_tiny(tiny_sd_v)
    [group] = lora().attach(trained, [DOG])
    disturb(nn.ParameterList(group.params))
    lora().save(trained, tmp_path)
    lora().load(other, tmp_path, scale={})
    for name, weight in weights(trained.unet).items():
        assert torch.equal(weights(other.unet)[name], weight)


@pytest.mark.parametrize("settings", [{}, {"use_rslora": True, "alpha": 6.0}])
def test_what_earlier_versions_wrote_counts_as_it_did(settings: dict[str, Any], tiny_sd: Path, tmp_path: Path) -> None:
    """They left alpha to the reader."""
    trained, loaded = load_tiny(tiny_sd), load_tiny(tiny_sd)
    method = lora(**settings)
    [group] = method.attach(trained, [DOG])
    disturb(nn.ParameterList(group.params))
    stored = {trained.names.stock("denoiser", name): weight for name, weight in weights(trained.unet).items()}
    description = {"r": 4, "lora_alpha": method.alpha, "use_rslora": method.use_rslora}
    about = {f"unet.{name}": value for name, value in description.items()}
    write_weights(tmp_path / FILE, stored, {DESCRIPTION: json.dumps(about)})
    method.load(loaded, tmp_path, scale={})
    for name, weight in weights(trained.unet).items():
        assert torch.equal(weights(loaded.unet)[name], weight)


def test_gradient_checkpointing_leaves_gradients_as_they_are(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    settings = ["method=lora", "method.roles=[denoiser,text]", "method.dropout=0.5", "method.init=kaiming"]
    found = []
    for more in ([], ["trainer.gradient_checkpointing=true"]):
        module = assembled(configure(tiny_sd, pictures, tmp_path, *settings, *more))
        disturb(nn.ParameterList(module.trained()))
        found.append(gradients(module, next(batches(module))))
    for plain, checkpointed in zip(*found, strict=True):
        torch.testing.assert_close(checkpointed, plain)
        assert plain.abs().max() > 0
