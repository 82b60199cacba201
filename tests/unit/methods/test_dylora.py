"""Adapters of every rank in one training: what a step computes, what rests in it, and what a smaller rank is."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from composed import compose
from drawing import ROUNDING, distance, disturb, draw, draw_stock, stock
from families import load_tiny
from lessons import after_every_step, assembled, batches, gradients
from PIL import Image
from rounding import near
from safetensors.torch import load_file
from small_runs import configure, losses, only_run, overrides
from torch import Tensor, nn
from torch.nn import functional

from imprint.errors import ConfigError
from imprint.methods.adapter_layers import layers
from imprint.methods.blocks import whole_weight
from imprint.methods.dylora import DyLoRA
from imprint.methods.lora import FILE
from imprint.models.families.sd import StableDiffusionSource
from imprint.planning.prepare import prepare
from imprint.results.load import trained_model
from imprint.runs import Run
from imprint.types import Concept, Sampler
from imprint.verbs.export import export
from imprint.verbs.generate import generate
from imprint.verbs.train import train

DOGS = [Concept("sks", "dog")]
LAYER = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
CONVOLUTION = "mid_block.resnets.0.conv1"
SAMPLER = Sampler("model", 3, 4.0, "")


def dylora(**settings: Any) -> DyLoRA:
    usual = {
        "roles": ["denoiser"],
        "targets": ["attention", "convolutions"],
        "rank": 6,
        "alpha": 3.0,
        "text_rank": 4,
        "text_alpha": 2.0,
        "dropout": 0.0,
        "init": "gaussian",
        "use_dora": False,
        "use_rslora": False,
        "granularity": 1,
        "only_last": False,
        "lr": 1e-3,
        "text_lr": 1e-3,
        "by_role": None,
        "templates": ["a {identifier}"],
    }
    return DyLoRA(**{**usual, **settings})


def step_with(method: DyLoRA, blocks: int, role: str = "denoiser") -> int:
    """A step in which so many blocks take part."""
    return next(step for step in range(1000) if method.sampled_blocks(role, seed=0, step=step) == blocks)


def attached(method: DyLoRA, model: Path) -> Any:
    """A family with adapters that have learned something, training."""
    model = load_tiny(model)
    torch.manual_seed(0)
    for group in method.attach(model, DOGS):
        disturb(nn.ParameterList(group.params))
    for role in method.roles:
        model.roles[role].train()
    return model


class TestStep:
    """Against the formula, written out densely: y = W x + alpha / b * B[:, :b] A[:b] x."""

    @pytest.mark.parametrize("granularity", [1, 2, 3])
    @pytest.mark.parametrize("use_rslora", [False, True])
    @pytest.mark.parametrize("only_last", [False, True])
    def test_values_and_gradients_of_a_linear_layer(
        self, granularity: int, use_rslora: bool, only_last: bool, tiny_sd: Path
    ) -> None:
        method = dylora(granularity=granularity, use_rslora=use_rslora, only_last=only_last)
        model = attached(method, tiny_sd)
        layer = model.unet.get_submodule(LAYER).double()
        x_BLD = torch.randn(2, 5, layer.in_features, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        for blocks in range(1, 6 // granularity + 1):
            rank = blocks * granularity
            method.before_step(model, seed=0, step=step_with(method, blocks))
            layer.zero_grad()
            found_BLD = layer(x_BLD)
            found_BLD.square().sum().backward()
            down, up = (_leaf(whole_weight(part["default"])) for part in (layer.lora_A, layer.lora_B))
            strength = 3.0 / (rank**0.5 if use_rslora else rank)
            base_BLD = functional.linear(x_BLD, layer.weight.detach(), layer.bias)
            expected_BLD = base_BLD + strength * (x_BLD @ down[:rank].T) @ up[:, :rank].T
            torch.testing.assert_close(found_BLD, expected_BLD)
            expected_BLD.square().sum().backward()
            first = rank - granularity if only_last else 0
            for part, dense, dim in ((layer.lora_A, down, 0), (layer.lora_B, up, 1)):
                assert dense.grad is not None
                learns = torch.zeros(6, dtype=torch.float64)
                learns[first:rank] = 1
                expected = dense.grad * (learns[:, None] if dim == 0 else learns[None])
                torch.testing.assert_close(_gradient(part["default"], dim), expected)

    def test_values_and_gradients_of_a_convolution(self, tiny_sd: Path) -> None:
        method = dylora(granularity=2)
        model = attached(method, tiny_sd)
        layer = model.unet.get_submodule(CONVOLUTION).double()
        x_BCHW = torch.randn(2, 16, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        method.before_step(model, seed=0, step=step_with(method, 2))
        found_BCHW = layer(x_BCHW)
        found_BCHW.square().sum().backward()
        down, up = (_leaf(whole_weight(part["default"])) for part in (layer.lora_A, layer.lora_B))
        update = 3.0 / 4 * torch.einsum("or,rikl->oikl", up[:, :4, 0, 0], down[:4])
        expected_BCHW = functional.conv2d(x_BCHW, layer.weight.detach() + update, layer.bias, padding=1)
        torch.testing.assert_close(found_BCHW, expected_BCHW)
        expected_BCHW.square().sum().backward()
        torch.testing.assert_close(_gradient(layer.lora_A["default"], 0), down.grad)
        torch.testing.assert_close(_gradient(layer.lora_B["default"], 1), up.grad)

    def test_outside_training_the_rank_is_whole(self, tiny_sd: Path) -> None:
        method = dylora()
        model = attached(method, tiny_sd)
        whole = draw(model.eval(), SAMPLER)
        method.before_step(model.train(), seed=0, step=step_with(method, 1))
        assert distance(draw(model, SAMPLER), whole) == 0  # drawing is no training, whatever the module's mode

    def test_an_untrained_adapter_of_any_rank_changes_nothing(self, tiny_sd: Path) -> None:
        method, model = dylora(), load_tiny(tiny_sd)
        method.attach(model, DOGS)
        method.before_step(model.train(), seed=0, step=3)
        assert distance(draw(model, SAMPLER), draw(load_tiny(tiny_sd), SAMPLER)) == 0


def _leaf(weight: Tensor) -> Tensor:
    return weight.detach().clone().requires_grad_(True)


def _gradient(part: Any, dim: int) -> Tensor:
    stored = part.parametrizations.weight
    return torch.cat([getattr(stored, f"original{index}").grad for index in range(stored.ntensors)], dim=dim)


class TestRank:
    def test_every_rank_is_as_likely_and_the_step_and_seed_choose_it(self) -> None:
        method = dylora(granularity=2)
        drawn = [method.sampled_blocks("denoiser", seed=0, step=step) for step in range(3000)]
        assert drawn == [method.sampled_blocks("denoiser", seed=0, step=step) for step in range(3000)]
        assert drawn != [method.sampled_blocks("denoiser", seed=1, step=step) for step in range(3000)]
        counts = Counter(drawn)
        assert counts.keys() == {1, 2, 3}
        assert all(count == pytest.approx(1000, abs=120) for count in counts.values())

    def test_no_generator_of_a_library_has_a_part_in_it(self) -> None:
        method = dylora()
        torch.manual_seed(1)
        before = torch.get_rng_state()
        method.sampled_blocks("denoiser", seed=0, step=5)
        assert torch.equal(torch.get_rng_state(), before)

    def test_a_part_with_a_rank_of_its_own_keeps_to_it(self) -> None:
        method = dylora(roles=["denoiser", "text"])
        drawn = {method.sampled_blocks("text", seed=0, step=step) for step in range(200)}
        assert drawn == {1, 2, 3, 4}


@pytest.mark.parametrize("only_last", [False, True])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_what_rests_in_a_step_does_not_move(
    only_last: bool,
    accumulation: int,
    tiny_sd: Path,
    pictures: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    history: list[tuple[Tensor, Tensor]] = []

    def look(trainer: Any, module: Any) -> None:
        layer: Any = layers(module.model.roles["denoiser"])[LAYER]
        parts = [whole_weight(part["default"]).detach().clone() for part in (layer.lora_A, layer.lora_B)]
        history.append((parts[0], parts[1].T))

    after_every_step(monkeypatch, look)
    settings = ["method=dylora", "method.rank=4", f"method.only_last={str(only_last).lower()}", "method.init=kaiming"]
    # With a decay as strong as this, a step of a resting row would be seen.
    settings += ["optimizer.weight_decay=5", "hparams.batch_size=2", f"trainer.accumulation={accumulation}"]
    cfg = configure(tiny_sd, pictures, tmp_path, *settings, "hparams.steps=8")
    method = prepare(cfg).parts.method
    assert isinstance(method, DyLoRA)
    train(cfg)
    seen = set()
    for step, (before, after) in enumerate(pairwise(history), start=1):
        rank = method.sampled_blocks("denoiser", seed=0, step=step)
        seen.add(rank)
        learns = [rank - 1 == row if only_last else row < rank for row in range(4)]
        for old, new in zip(before, after, strict=True):
            assert [not torch.equal(a, b) for a, b in zip(old, new, strict=True)] == learns, (step, rank)
    assert len(seen) > 2


def test_a_recomputed_pass_has_the_rank_of_the_first(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    settings = ["method=dylora", "method.rank=4", "method.roles=[denoiser,text]", "method.dropout=0.5"]
    found = []
    for more in ([], ["trainer.gradient_checkpointing=true"]):
        module = assembled(configure(tiny_sd, pictures, tmp_path, *settings, *more))
        disturb(nn.ParameterList(module.trained()))
        module.task.method.before_step(module.model, seed=0, step=step_with(dylora(rank=4), 2))
        found.append(gradients(module, next(batches(module))))
    for plain, checkpointed in zip(*found, strict=True):
        torch.testing.assert_close(checkpointed, plain)


class TestResult:
    @pytest.mark.parametrize("use_rslora", [False, True])
    @pytest.mark.parametrize("rank", [2, 4, 6])
    def test_a_smaller_rank_is_what_took_part_in_training(
        self, rank: int, use_rslora: bool, tiny_sd: Path, tmp_path: Path
    ) -> None:
        settings = {"granularity": 2, "use_rslora": use_rslora, "roles": ["denoiser", "text"]}
        method, smaller = dylora(**settings), dylora(**settings)
        model, fresh = attached(method, tiny_sd), load_tiny(tiny_sd)
        method.save(model, tmp_path)
        smaller.choose_rank(rank)
        smaller.load(fresh, tmp_path, scale={})
        assert {len(weight) for name, weight in fresh.unet.named_parameters() if ".lora_A." in name} == {rank}
        method.before_step(model, seed=0, step=step_with(method, rank // 2))
        x_BLD = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(1))
        trained, cut = (own.unet.get_submodule(LAYER) for own in (model, fresh))
        torch.testing.assert_close(trained(x_BLD), cut(x_BLD))

    def test_the_stock_pipeline_draws_a_smaller_rank(self, tiny_sd: Path, tmp_path: Path) -> None:
        method = dylora(targets="attention", alpha=30.0)
        method.save(attached(method, tiny_sd), tmp_path / "whole")
        model = load_tiny(tiny_sd)
        method.choose_rank(2)
        method.load(model, tmp_path / "whole", scale={})
        method.origin = {"title": "t", "trigger_words": "sks dog", "base_model": "m"}
        file = tmp_path / "kohya.safetensors"
        method.formats(model)["kohya"].write(file, torch.float32)
        assert {len(x) for name, x in load_file(file).items() if name.endswith("lora_down.weight")} == {2}
        pipeline = stock(tiny_sd)
        pipeline.load_lora_weights(str(file))
        assert distance(draw(model), draw_stock(pipeline)) <= ROUNDING
        assert distance(draw(model), draw(load_tiny(tiny_sd))) > 5 * ROUNDING

    def test_a_rank_that_was_not_learned_is_refused(self) -> None:
        for rank in (0, 3, 8):
            with pytest.raises(ConfigError, match=f"rank={rank}: give a multiple of 2 from 2 to 6"):
                dylora(granularity=2).choose_rank(rank)

    def test_the_file_is_a_plain_lora(self, tiny_sd: Path, tmp_path: Path) -> None:
        method = dylora()
        model = attached(method, tiny_sd)
        method.before_step(model, seed=0, step=step_with(method, 1))
        method.save(model, tmp_path)  # whole, whatever the last step's rank was
        layer: Any = layers(model.unet)[LAYER]
        stored = load_file(tmp_path / FILE)
        assert torch.equal(stored[f"unet.{LAYER}.lora_A.weight"], whole_weight(layer.lora_A["default"]))
        assert stored[f"unet.{LAYER}.lora_B.weight"].shape[1] == 6


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["method.rank=6", "method.granularity=4"], "method.rank=6: must be a multiple of granularity=4, such as 8"),
        (
            ["method.roles=[denoiser,text]", "method.text_rank=3", "method.granularity=2"],
            "method.text_rank=3: must be a multiple of granularity=2",
        ),
        (["method.granularity=0"], "method.granularity=0"),
        (["method.rank=0"], "method.rank=0"),
        (["method.use_dora=true"], "magnitudes belong to one rank"),
        (["method.only_last=perhaps"], "method.only_last='perhaps'"),
    ],
)
def test_settings_without_a_sense_are_refused(
    settings: list[str], expected: str, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare(configure(tiny_sd, pictures, tmp_path, "method=dylora", *settings))
    assert expected in str(caught.value)


def test_an_average_is_kept_of_every_block(finished: Callable[..., Run]) -> None:
    run, plain = finished("method=dylora", "hparams.ema=0.5"), finished("method=dylora")
    assert losses(run) == losses(plain)
    averaged, last = load_file(run.result / FILE), load_file(plain.result / FILE)
    assert averaged.keys() == last.keys()
    assert any(not torch.equal(averaged[name], last[name]) for name in averaged)


class TestRuns:
    """A finished run gives any of its ranks."""

    @pytest.fixture(scope="class")
    def run(self, tiny_sd: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
        settings = ["method=dylora", "method.rank=4", "method.granularity=2", "method.lr=2e-2", "hparams.clip=null"]
        return train(configure(tiny_sd, pictures, tmp_path_factory.mktemp("runs"), *settings))

    @pytest.mark.parametrize("format", ["lora", "kohya"])
    def test_files_of_a_smaller_rank_draw_what_it_draws(
        self, format: str, run: Run, tiny_sd: Path, tmp_path: Path
    ) -> None:
        smaller = draw(trained_model(run, scale={}, rank=2).model)
        file = exported(run, tmp_path / "a.safetensors", f"format={format}", "rank=2")
        pipeline = stock(tiny_sd)
        pipeline.load_lora_weights(str(file))
        assert distance(smaller, draw_stock(pipeline)) <= ROUNDING
        assert distance(smaller, draw(trained_model(run, scale={}).model)) > 2 * ROUNDING

    def test_a_whole_model_of_a_smaller_rank(self, run: Run, tmp_path: Path) -> None:
        folder = exported(run, tmp_path / "pipeline", "format=pipeline", "rank=2")
        smaller = draw(trained_model(run, scale={}, rank=2).model)
        assert distance(smaller, draw_stock(stock(folder))) <= ROUNDING

    def test_pictures_of_a_smaller_rank(self, run: Run, tmp_path: Path) -> None:
        asked = ["scheduler=model", "steps=3", "guidance=4", "accelerator=cpu", "seeds=[3]", "prompt='a {noun}'"]
        made = []
        for rank in (2, 4, "null"):
            folder = tmp_path / str(rank)
            generate(compose("generate", [f"run={run.folder}", f"outputs={folder}", f"rank={rank}", *asked]))
            made.append([Image.open(file) for file in sorted(folder.glob("*.png"))])
        assert distance(made[1], made[2]) == 0
        assert distance(made[0], made[2]) > 0

    def test_a_rank_that_is_not_there_is_refused_before_loading(
        self, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(StableDiffusionSource, "load", lambda self: pytest.fail("the model was loaded"))
        with pytest.raises(ConfigError, match="rank=3: give a multiple of 2 from 2 to 4"):
            exported(run, tmp_path / "out", "format=pipeline", "rank=3")

    def test_results_of_one_rank_have_none_to_choose(self, tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
        run = train(configure(tiny_sd, pictures, tmp_path, "method=textual_inversion", "dataset.identifier=auto"))
        with pytest.raises(ConfigError, match="rank=2: what TextualInversion learned has no rank"):
            trained_model(run, scale={}, rank=2)


def exported(run: Run, path: Path, *settings: str) -> Path:
    return export(compose("export", [f"run={run.folder}", "dtype=float32", f"out={path}", *settings]))


@pytest.mark.slow
def test_two_processes_draw_the_same_rank(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    settings = ["method=dylora", "method.rank=4", "method.only_last=true", "hparams.batch_size=2"]
    for name, more in (("one", []), ("two", ["trainer=ddp", "trainer.accelerator=cpu", "trainer.checkpoint_every=2"])):
        command = ["train", *overrides(tiny_sd, pictures, tmp_path / name, *settings, *more)]
        subprocess.run([sys.executable, "-m", "imprint.cli", *command], check=True, timeout=300)
    one, two = only_run(tmp_path / "one"), only_run(tmp_path / "two")
    assert one.folder.name == two.folder.name
    assert losses(two) == near(losses(one))
    for name, weight in load_file(one.result / FILE).items():
        torch.testing.assert_close(load_file(two.result / FILE)[name], weight, rtol=1e-3, atol=1e-4)
