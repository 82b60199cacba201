"""The plain script trains what it says."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

Module = Callable[[str], Any]


def weights(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten().clone() for parameter in network.parameters()])


@pytest.fixture
def loop(tiny_sd: Path, pictures: Path, tmp_path: Path, module: Module) -> Callable[..., Any]:
    plain = module("plain_loop")

    def make(method: str, *, has_prior: bool = False) -> Any:
        return plain.PlainLoop(
            plain.PlainSettings(
                method=method,
                model=str(tiny_sd),
                output=str(tmp_path / "result"),
                pictures=str(pictures),
                class_pictures=str(pictures) if has_prior else None,
                class_count=3,
                word="<sks>",
                noun="dog",
                prompt="a <sks> dog",
                class_prompt="a dog",
                resolution=32,
                steps=1,
                batch_size=2,
                rank=2,
                lr=1e-3,
                seed=0,
                bf16=False,
            )
        )

    return make


@pytest.mark.parametrize("has_prior", [False, True])
def test_dreambooth_trains_the_denoiser_alone(loop: Callable[..., Any], has_prior: bool, tmp_path: Path) -> None:
    trained = loop("dreambooth", has_prior=has_prior)
    networks = (trained.unet, trained.vae, trained.text_encoder)
    before = [weights(network) for network in networks]
    assert math.isfinite(trained.step())
    changed = [not torch.equal(weights(network), old) for network, old in zip(networks, before, strict=True)]
    assert changed == [True, False, False]
    trained.save()
    assert (tmp_path / "result/model_index.json").is_file()


def test_lora_trains_adapters_alone(loop: Callable[..., Any], tmp_path: Path) -> None:
    trained = loop("lora")
    assert all("lora" in name for name, part in trained.unet.named_parameters() if part.requires_grad)
    trained.step()
    assert any(part.grad is None and part.detach().any() for part in trained.trained)
    trained.save()
    assert (tmp_path / "result/pytorch_lora_weights.safetensors").is_file()


def test_a_word_is_all_that_textual_inversion_changes(loop: Callable[..., Any], tmp_path: Path) -> None:
    trained = loop("textual_inversion")
    table = trained.text_encoder.get_input_embeddings().weight
    before, unet = table.detach().clone(), weights(trained.unet)
    trained.step()
    changed = (table != before).any(dim=1).nonzero().flatten().tolist()
    assert changed == [len(before) - 1]
    assert torch.equal(weights(trained.unet), unet)
    trained.save()
    [(word, vector)] = torch.load(tmp_path / "result/learned_embeds.bin").items()
    assert word == "<sks>"
    assert torch.equal(vector, table[-1])
