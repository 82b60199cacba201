"""What is assumed of torch."""

import pytest
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput
from torch import nn
from torch.optim import AdamW
from transformers.modeling_outputs import BaseModelOutputWithPooling

from imprint.libraries.torch import (
    divide_gradients_in_step,
    flatten,
    is_out_of_memory,
    pinned,
    seed_cpu,
    unflatten,
    unpinned,
)


def test_a_fused_step_divides_the_gradients_and_leaves_them_divided() -> None:
    mine, theirs = (nn.Parameter(torch.ones(3)) for _ in range(2))
    own, other = (AdamW([weight], lr=0.1, eps=1.0, fused=True) for weight in (mine, theirs))
    mine.grad, theirs.grad = torch.full((3,), 8.0), torch.full((3,), 2.0)
    divide_gradients_in_step(own, torch.tensor(4.0))
    own.step()
    other.step()
    assert torch.equal(mine.grad, theirs.grad), "a fused AdamW no longer divides by its grad_scale: clipping is off"
    assert torch.equal(mine, theirs)


def test_a_pinned_part_is_passed_over_by_what_moves_and_casts() -> None:
    whole = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.Linear(1, 1)))
    whole[1].to("meta")
    pinned(whole[1])
    whole.to("cpu").to(torch.bfloat16)
    assert [weight.device.type for weight in whole.parameters()] == ["cpu", "cpu", "meta", "meta"]
    assert [weight.dtype for weight in whole.parameters()] == [torch.bfloat16] * 2 + [torch.float32] * 2
    unpinned(whole[1])
    assert whole.to(torch.bfloat16)[1][0].weight.dtype == torch.bfloat16


def test_the_cpus_generator_is_seeded_as_torch_seeds_it() -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        expected = torch.rand(3)
        seed_cpu(7)
        assert torch.equal(torch.rand(3), expected)


def test_a_lack_of_memory_is_known_by_what_is_said_of_it() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value), f"torch says it in other words now: {caught.value}"


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("none"), MemoryError(), RuntimeError("MPS: out of memory")])
def test_a_lack_of_memory_has_several_names(error: BaseException) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize("error", [RuntimeError("shapes differ"), ValueError("not enough memory of it")])
def test_other_errors_are_no_lack_of_memory(error: BaseException) -> None:
    assert not is_out_of_memory(error)


def test_outputs_of_model_libraries_are_taken_apart_and_put_together() -> None:
    first, second = torch.zeros(1), torch.ones(2)
    outputs = {
        "unet": (UNet2DConditionOutput(sample=first), 3),
        "text": BaseModelOutputWithPooling(last_hidden_state=first, pooler_output=second),
    }
    values, shape = flatten(outputs)
    tensors = [value for value in values if isinstance(value, torch.Tensor)]
    assert len(tensors) == 3, "an output class is not registered with torch's pytree any more"
    again = unflatten(values, shape)
    assert type(again["text"]) is BaseModelOutputWithPooling
    assert again["text"].pooler_output is second
    assert again["unet"][0].sample is first
    assert again["unet"][1] == 3
