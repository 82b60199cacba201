"""Adapters learn beside a network that stays as it is, and what they learned opens in other programs."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from diffusers import StableDiffusionPipeline
from drawing import distance, stock
from families import load_tiny
from lessons import after_every_step, assembled
from PIL import Image
from results import CLOSE, SEEDS, by_the_library, drawn, exported
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from small_runs import configure, losses, metrics
from tiny import tiny_source

from imprint.errors import ConfigError, UserError
from imprint.models.families.sd import StableDiffusionSource
from imprint.results.load import trained_model
from imprint.runs import Run
from imprint.training.callbacks import FiniteLoss
from imprint.training.module import TrainingModule
from imprint.verbs.train import train

BOTH = "method.roles=[denoiser,text]"
EVERYWHERE = "method.targets=[attention,feed_forward,convolutions]"
# Rates at which a few steps are seen in a picture.
FAST = ("method=lora", "method.lr=2e-2", "hparams.clip=null")
VARIANTS = {
    "alpha": ("tiny_sd", [BOTH, "method.alpha=1", "method.text_alpha=6", "method.text_rank=2"]),
    "everywhere": (
        "tiny_sd_v",
        [BOTH, "method.targets=[attention,feed_forward,convolutions]", "method.use_rslora=true"],
    ),
    "no-attention": ("tiny_sd", [BOTH, "method.targets=feed_forward"]),
    "dora": ("tiny_sd", [BOTH, "method.use_dora=true", "method.alpha=8"]),
}


class Trained(NamedTuple):
    """A finished run, the model it began with, and what `imprint generate` draws with it."""

    run: Run
    model: Path
    pictures: list[Image.Image]


@pytest.fixture(scope="module", params=VARIANTS)
def trained(request: pytest.FixtureRequest, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    name, settings = VARIANTS[request.param]
    model = request.getfixturevalue(name)
    folder = tmp_path_factory.mktemp("runs")
    run = train(configure(model, pictures, folder, *FAST, *settings))
    return Trained(run, model, drawn([run], folder / "pictures"))


def with_adapters(model: Path, file: Path) -> StableDiffusionPipeline:
    pipeline = stock(model)
    pipeline.load_lora_weights(file)
    return pipeline


def test_the_stock_pipeline_loads_the_result_to_the_same_pictures(trained: Trained) -> None:
    adapted = by_the_library(with_adapters(trained.model, trained.run.result))
    assert distance(trained.pictures, adapted) <= CLOSE
    # Otherwise this would prove nothing.
    assert distance(trained.pictures, by_the_library(stock(trained.model))) > 5 * CLOSE


def test_a_reader_that_passes_over_the_description_draws_the_same(trained: Trained, tmp_path: Path) -> None:
    """As ComfyUI and earlier releases of diffusers do: every adapter counts as a whole to them."""
    file = tmp_path / "lora.safetensors"
    save_file(load_file(trained.run.result / "pytorch_lora_weights.safetensors"), file, metadata={"format": "pt"})
    assert distance(trained.pictures, by_the_library(with_adapters(trained.model, file))) <= CLOSE


def test_strengths_lead_from_the_untuned_model_to_the_tuned(trained: Trained, tmp_path: Path) -> None:
    untuned = by_the_library(stock(trained.model))
    off = drawn([trained.run], tmp_path / "off", "scale.denoiser=0", "scale.text=0")
    assert distance(off, untuned) <= CLOSE
    between = drawn([trained.run], tmp_path / "between", "scale.denoiser=0.5", "scale.text=0")
    assert min(distance(between, untuned), distance(between, trained.pictures)) > CLOSE


def test_a_merged_pipeline_or_file_draws_the_same_pictures(trained: Trained, tmp_path: Path) -> None:
    pipeline = stock(exported(trained.run, tmp_path / "pipeline", "format=pipeline"))
    assert distance(trained.pictures, by_the_library(pipeline)) <= CLOSE
    file = exported(trained.run, tmp_path / "model.safetensors", "format=single_file")
    model = tiny_source(file, config=str(trained.model)).load()
    merged = load_tiny(tmp_path / "pipeline")
    for name, weight in merged.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight), name


def test_kohyas_names_lead_to_the_same_pictures(trained: Trained, tmp_path: Path) -> None:
    run, model, pictures = trained
    path = tmp_path / "kohya.safetensors"
    if run.read().config.method["use_dora"]:
        with pytest.raises(UserError, match=r"format.*DoRA.*format=pipeline"):
            exported(run, path, "format=kohya")
        return
    file = exported(run, path, "format=kohya")
    assert distance(pictures, by_the_library(with_adapters(model, file))) <= CLOSE
    assert all(key.startswith(("lora_unet_", "lora_te_text_model_")) for key in load_file(file))
    with safe_open(file, framework="pt") as content:
        facts = content.metadata()
    assert facts["modelspec.trigger_phrase"] == "sks dog"
    assert facts["run"] == run.signature


def test_the_result_says_what_it_was_made_from(trained: Trained) -> None:
    run, model, _ = trained
    with safe_open(run.result / "pytorch_lora_weights.safetensors", framework="pt") as content:
        facts = content.metadata()
    description = json.loads(facts["lora_adapter_metadata"])
    assert description["unet.lora_alpha"] == description["unet.r"] == run.read().config.method["rank"]
    assert (facts["run"], facts["base_model"], facts["trigger_words"]) == (run.signature, model.name, "sks dog")
    assert str(model.parent) not in str(facts)
    assert "load_lora_weights" in (run.result / "README.md").read_text(encoding="utf-8")


def test_only_the_adapters_learn(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = configure(tiny_sd, pictures, tmp_path, *FAST, BOTH, "optimizer.weight_decay=0.5")
    before = {name: weight.clone() for name, weight in assembled(cfg).state_dict().items()}
    after: dict[str, torch.Tensor] = {}
    after_every_step(monkeypatch, lambda trainer, module: after.update(module.state_dict()))
    train(cfg)
    assert after.keys() == before.keys()
    changed = {name for name, weight in after.items() if not torch.equal(weight, before[name])}
    assert changed == {name for name in before if ".lora_" in name}


def test_an_untrained_adapter_changes_nothing_and_depends_on_the_seed_alone(
    tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    def weights(seed: int) -> dict[str, torch.Tensor]:
        module = assembled(configure(tiny_sd, pictures, tmp_path, "method=lora", f"seed={seed}"))
        return {name: weight for name, weight in module.named_parameters() if weight.requires_grad}

    first, again, other = weights(0), weights(0), weights(1)
    assert all(torch.equal(weight, again[name]) for name, weight in first.items())
    assert any(not torch.equal(weight, other[name]) for name, weight in first.items())
    evaluation = ["samples=default", "samples.prompts=['a {identifier} {noun}']", f"samples.seeds={list(SEEDS)}"]
    sampler = ["model.sampler.scheduler=model", "model.sampler.steps=3", "model.sampler.guidance=4"]
    run = train(configure(tiny_sd, pictures, tmp_path, "method=lora", BOTH, "hparams.steps=1", *evaluation, *sampler))
    at_first = [Image.open(run.samples / f"step-000000/00-s{seed}.png") for seed in SEEDS]
    assert distance(at_first, by_the_library(stock(tiny_sd), ["a sks dog"])) <= CLOSE


class Stopped(Exception):
    """Stands for a crash."""


@pytest.mark.parametrize(
    "settings",
    [
        ["method=lora", BOTH, "method.dropout=0.3"],
        ["method=loha", "method.dropout=0.3"],
        ["method=lokr", "method.dropout=0.3"],
        ["method=lora", "prior=base_prediction", "hparams.ema=0.5", "method.use_dora=true"],
    ],
)
def test_the_losses_after_a_stop_are_those_of_an_uninterrupted_run(
    settings: list[str], tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: FiniteLoss, trainer, module, loss) -> None:
        if trainer.global_step == 3:
            raise Stopped

    settings = [*settings, "method.lr=2e-2"]
    whole = train(configure(tiny_sd, pictures, tmp_path / "whole", *settings))
    with monkeypatch.context() as patch:
        patch.setattr(FiniteLoss, "on_before_backward", stop)
        with pytest.raises(Stopped):
            train(configure(tiny_sd, pictures, tmp_path / "parts", *settings))
    [file] = tmp_path.glob("parts/*/checkpoints/last.ckpt")
    checkpoint = torch.load(file, weights_only=True)
    assert checkpoint["state_dict"]
    assert all(name.endswith((".default", ".default.weight")) for name in checkpoint["state_dict"])
    resumed = train(configure(tiny_sd, pictures, tmp_path / "parts", *settings))
    assert metrics(resumed) == metrics(whole)
    assert len(losses(resumed)) == 6
    for file in whole.result.rglob("*.safetensors"):
        assert file.read_bytes() == (resumed.result / file.relative_to(whole.result)).read_bytes()


def test_adapters_are_float32_in_bfloat16_training(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    cfg = configure(tiny_sd, pictures, tmp_path, *FAST, BOTH, "hparams.precision=bf16-mixed", "method.use_dora=true")
    module: TrainingModule = assembled(cfg)
    for name, parameter in module.model.named_parameters():
        assert parameter.dtype == (torch.float32 if ".lora_" in name else torch.bfloat16), name
    exact = train(configure(tiny_sd, pictures, tmp_path / "exact", *FAST, BOTH, "method.use_dora=true"))
    run = train(cfg)
    assert losses(run) != losses(exact)
    assert losses(run) == pytest.approx(losses(exact), rel=0.05)
    saved = load_file(run.result / "pytorch_lora_weights.safetensors")
    assert {weight.dtype for weight in saved.values()} == {torch.float32}


def test_adapters_learn_at_their_parts_rates(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    settings = [BOTH, "method=lora", "method.lr=1e-3", "method.text_lr=1e-5", "method.rank=3", "method.text_rank=2"]
    module = assembled(configure(tiny_sd, pictures, tmp_path, *settings))
    assert {group.name: group.lr for group in module.task.groups} == {"denoiser": 1e-3, "text": 1e-5}
    ranks = [{min(parameter.shape) for parameter in group.params} for group in module.task.groups]
    assert ranks == [{3}, {2}]


def test_a_strength_for_what_was_not_taught_is_refused_before_loading(
    finished: Callable[..., Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = finished("method=lora")
    monkeypatch.setattr(StableDiffusionSource, "load", lambda self: pytest.fail("the model was loaded"))
    with pytest.raises(UserError, match=r"scale\.text=0\.5"):
        trained_model(run, scale={"denoiser": 1.0, "text": 0.5})


def test_an_unknown_format_is_refused_with_those_there_are(finished: Callable[..., Run], tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="format='kohia'.*did you mean kohya"):
        exported(finished("method=lora"), tmp_path / "out", "format=kohia")
