"""Blocks come to the device when it is their turn, no more than a given number at a time."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from imprint.errors import UserError
from imprint.models.block_swap import BlockSwap, block_bytes, most_bytes

CPU = torch.device("cpu")
COUNT = 5


class Block(nn.Module):
    """A frozen layer, and an adapter that learns."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4).requires_grad_(False)
        self.norm = nn.LayerNorm(4).requires_grad_(False)
        self.adapter = nn.Linear(4, 4, bias=False)

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + self.norm(torch.tanh(self.layer(inputs))) + self.adapter(inputs)


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.blocks = nn.ModuleList(Block() for _ in range(COUNT))
        self.out = nn.Linear(4, 1).requires_grad_(False)

    def forward(self, inputs: Tensor, *, anew: bool = True) -> Tensor:
        for block in self.blocks:
            inputs = checkpoint(block, inputs, use_reentrant=False) if anew else block(inputs)
        return self.out(inputs).square().mean()

    def learned(self) -> list[Tensor]:
        return [block.adapter.weight for block in self.blocks]  # type: ignore[union-attr, misc]


class Noted(BlockSwap):
    """Blocks that are away hold no numbers. Every arrival is noted."""

    def __init__(self, *given: Any) -> None:
        self.came: list[int] = []
        self.most = 0
        super().__init__(*given)

    def _come(self, number: int) -> None:
        for parameter, home in self._blocks[number]:
            parameter.data = home.clone()
        self.came.append(number)
        self.most = max(self.most, len(self.present) + 1)

    def _leave(self, number: int) -> None:
        for parameter, home in self._blocks[number]:
            parameter.data.fill_(float("nan"))
            parameter.data = torch.full_like(home, float("nan"))


def gradients(network: Network, **told: bool) -> list[Tensor]:
    return list(torch.autograd.grad(network(torch.ones(2, 4), **told), network.learned()))


@pytest.mark.parametrize("limit", [1, 2, COUNT])
def test_no_more_than_the_limit_are_there_and_nothing_changes(limit: int) -> None:
    network = Network()
    swap = Noted([network], CPU, limit)
    for _ in range(2):
        assert all(map(torch.equal, gradients(network), gradients(Network())))
    assert swap.most == limit


def test_a_step_reads_each_block_twice_but_for_those_at_the_turn() -> None:
    network = Network()
    swap = Noted([network], CPU, 2)
    gradients(network)
    assert swap.came == [0, 1, 2, 3, 4, 2, 1, 0]


def test_without_computing_anew_what_autograd_keeps_is_of_blocks_that_left() -> None:
    network = Network()
    Noted([network], CPU, 1)
    assert any(bool(gradient.isnan().any()) for gradient in gradients(network, anew=False))


def test_others_with_the_same_frozen_weights_share_the_places() -> None:
    network, other = Network(), Network()
    for mine, its in zip(network.blocks, other.blocks, strict=True):
        its.layer, its.norm = mine.layer, mine.norm  # type: ignore[union-attr]
    swap = Noted([network, other], CPU, 1)
    with torch.no_grad():
        assert torch.equal(other(torch.ones(2, 4)), Network()(torch.ones(2, 4)))
        assert torch.equal(network(torch.ones(2, 4)), Network()(torch.ones(2, 4)))
    assert swap.most == 1


def test_what_moves_the_network_passes_over_frozen_weights_of_blocks_alone() -> None:
    network = Network()
    BlockSwap([network], CPU, 1)
    network.double()
    for block in network.blocks:
        assert {weight.dtype for weight in (block.layer.weight, block.norm.weight)} == {torch.float32}  # type: ignore[union-attr]
        assert block.adapter.weight.dtype == torch.float64  # type: ignore[union-attr]
    assert network.out.weight.dtype == torch.float64


def test_blocks_wait_on_the_cpu_and_all_else_goes_to_the_device() -> None:
    network, device = Network(), torch.device("meta")
    BlockSwap([network], device, 2)
    for _ in range(2):
        assert all(weight.device == device for weight in (*network.learned(), network.out.weight))
        assert all(block.layer.weight.device == CPU for block in network.blocks)  # type: ignore[union-attr]
        network.to(device)


def test_quantised_weights_do_not_go_to_and_fro() -> None:
    class Packed(nn.Parameter):
        pass

    network = Network()
    network.blocks[1].layer.weight = Packed(torch.zeros(4, 4), requires_grad=False)  # type: ignore[union-attr]
    with pytest.raises(UserError, match=r"trainer.blocks_on_device.*Packed"):
        BlockSwap([network], CPU, 1)


def test_how_large_blocks_are_is_known_without_weights() -> None:
    with torch.device("meta"):
        network = Network()
    assert block_bytes(network) == [4 * (16 + 4 + 8 + 16)] * COUNT
    assert most_bytes(network, 2) == sum(block_bytes(network)[:2])
    assert most_bytes(network, COUNT + 1) == sum(block_bytes(network))
