"""Configurations of networks that exist are within the limits, others are not."""

from typing import Any

import pytest

from imprint.models.checkpoint.config_limits import excess

SDXL = {"layers_per_block": 2, "transformer_layers_per_block": [1, 2, 10], "block_out_channels": [320, 640, 1280]}
OPENCLIP = {"num_hidden_layers": 32, "hidden_size": 1280, "vocab_size": 49408, "eos_token_id": 2}
GEMMA = {"num_hidden_layers": 46, "vocab_size": 256_000, "intermediate_size": 36_864}
MISTRAL = {"text_config": {"num_hidden_layers": 40, "rope_theta": 1e9}, "vision_config": {"rope_theta": 1e4}}
DPM = {"num_train_timesteps": 1000, "lambda_min_clipped": float("-inf"), "trained_betas": [0.1] * 1000}


@pytest.mark.parametrize("config", [SDXL, OPENCLIP, GEMMA, MISTRAL, DPM, {}])
def test_networks_that_exist_may_be(config: dict[str, Any]) -> None:
    assert excess(config) is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"layers_per_block": 2**31}, "layers_per_block is too large"),
        ({"layers_per_block": 100, "block_out_channels": [8] * 100}, "too many layers"),
        ({"transformer_layers_per_block": [[1, [5000]]]}, "too many layers"),
        ({"cross_attention_dim": 2.0**40}, "cross_attention_dim is too large"),
        ({"num_train_timesteps": 10**6}, "num_train_timesteps is too large"),
        ({"trained_betas": [0.1] * 20_000}, "trained_betas has too many values"),
        ({"anything": {"deep": [{"down": -(10**400)}]}}, "anything is too large"),
    ],
)
def test_what_no_network_has_is_told(changes: dict[str, Any], told: str) -> None:
    assert told in (excess({**SDXL, **changes}) or "")
