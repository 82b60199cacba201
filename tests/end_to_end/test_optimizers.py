"""Whole runs with each optimiser: stopped ones go on to the same result, and bfloat16 learns as float32 does."""

from pathlib import Path
from typing import Any

import pytest
import torch
from lessons import assembled, result_weights
from small_runs import configure, losses, metrics

from imprint.errors import ConfigError
from imprint.training import optimizers
from imprint.training.callbacks import FiniteLoss
from imprint.verbs.train import train

BF16 = "hparams.precision=bf16"
CHOICES = {
    "adamw8bit": "bitsandbytes",
    "paged_adamw8bit": "bitsandbytes",
    "adafactor": "transformers",
    "adamw_kahan": "optimi",
    "adamw_stochastic": "torchao",
}


class Stopped(Exception):
    """Stands for a crash."""


@pytest.mark.parametrize("choice", CHOICES)
def test_after_a_stop_a_run_goes_on_as_if_there_had_been_none(
    choice: str, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(CHOICES[choice])
    settings = [f"optimizer={choice}", "hparams.steps=4", *([BF16] if choice.startswith("adamw_") else [])]
    whole = train(configure(tiny_sd, pictures, tmp_path / "whole", *settings))

    def stop(self: FiniteLoss, trainer: Any, module: Any, loss: Any) -> None:
        if trainer.global_step == 3:
            raise Stopped

    cfg = configure(tiny_sd, pictures, tmp_path / "stopped", *settings)
    with monkeypatch.context() as patch:
        patch.setattr(FiniteLoss, "on_before_backward", stop)
        with pytest.raises(Stopped):
            train(cfg)
    resumed = train(cfg)
    assert metrics(resumed) == metrics(whole)
    expected, found = result_weights(whole), result_weights(resumed)
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def test_weights_in_bfloat16_learn_as_those_in_float32_where_no_update_is_lost(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optimi")
    pytest.importorskip("torchao")
    usual = ["method.lr=1e-4", "hparams.steps=16", "optimizer.weight_decay=0", "optimizer.betas=[0.9,0.99]"]
    exact = torch.tensor(losses(train(configure(tiny_sd, pictures, tmp_path, *usual))))

    def distance(*more: str) -> float:
        run = train(configure(tiny_sd, pictures, tmp_path, *usual, BF16, *more))
        return float((torch.tensor(losses(run)) - exact).abs()[-8:].mean())

    kahan, stochastic = distance("optimizer=adamw_kahan"), distance("optimizer=adamw_stochastic")
    monkeypatch.setattr(optimizers, "keeps_small_updates", lambda make: True)
    plain = distance("optimizer.fused=false")
    assert max(kahan, stochastic) < plain / 5


@pytest.mark.parametrize(
    "more",
    [
        ["method.roles=[denoiser,text]", "prior=base_prediction"],
        ["trainer.keep_parts=needed", "prior=generated", "prior.count=2"],
    ],
)
def test_all_that_learns_is_in_bfloat16_and_the_result_in_float32(
    more: list[str], tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    pytest.importorskip("optimi")
    cfg = configure(tiny_sd, pictures, tmp_path, BF16, "optimizer=adamw_kahan", "hparams.steps=2", *more)
    module = assembled(cfg)
    assert {parameter.dtype for parameter in module.model.parameters()} == {torch.bfloat16}
    saved = result_weights(train(cfg)).values()
    assert {weight.dtype for weight in saved if weight.is_floating_point()} == {torch.float32}


def test_what_is_added_to_a_network_is_not_learned_in_bfloat16(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as told:
        train(configure(tiny_sd, pictures, tmp_path, BF16, "method=lora", "hparams.ema=0.9"))
    keys = [problem.key for problem in told.value.problems if not isinstance(problem, str)]
    assert sorted(keys) == ["hparams.ema", "hparams.precision", "hparams.precision"]
    assert "method=dreambooth" in str(told.value)
    assert "optimizer=adamw_kahan" in str(told.value)
