"""Blocks of a network whose frozen weights lie in the machine's memory, and come to the device when it is their turn.

A block is fetched before it computes, and the one that has waited longest leaves for it, so that no more than a given
number are there. What learns in a block, adapters for instance, stays on the device with its gradients.

diffusers' group offloading and accelerate's hooks do the same for drawing alone. They take along what learns in a
block, whose gradient then arrives on another device than it is on, or bring back an old copy of it. And with them a
block leaves where its forward pass ends, which is never reached where gradient checkpointing computes just as much of
it anew as it needs.

While a block learns, its layers have to be computed anew for their gradients (trainer.gradient_checkpointing=true):
what autograd keeps for them otherwise refers to weights, and keeps these on the device.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from imprint.errors import UserError
from imprint.libraries.diffusers import repeated_blocks
from imprint.libraries.torch import passing_over


class _Weight(NamedTuple):
    """A parameter that comes and goes, and where it lies in the machine's memory."""

    parameter: nn.Parameter
    home: Tensor


class BlockSwap:
    """Of a network, and of others that share its frozen weights, block by block."""

    def __init__(self, networks: Sequence[nn.Module], device: torch.device, limit: int) -> None:
        """The blocks are on the CPU now. All else of the networks goes to the device. At most `limit` blocks will be
        there, of whichever network. Raises UserError for weights that cannot go to and fro."""
        self.present: list[int] = []  # numbers of blocks; the last one is the one that computed last
        self._device, self._limit = device, limit
        self._blocks: list[list[_Weight]] = []
        columns = [repeated_blocks(network) for network in networks]
        for number, blocks in enumerate(zip(*columns, strict=True)):
            shared = [parameter for parameter in blocks[0].parameters() if not parameter.requires_grad]
            self._blocks.append([_Weight(parameter, _at_home(parameter, device)) for parameter in shared])
            for block in blocks:
                passing_over(block, shared)
                block.register_forward_pre_hook(partial(self._before, number))
        for network in networks:
            network.to(device)

    def _before(self, number: int, block: nn.Module, arguments: Any) -> None:
        """In the forward pass, and once more in the backward pass, where the block is computed anew."""
        if number in self.present:
            self.present.remove(number)
        else:
            while len(self.present) >= self._limit:
                self._leave(self.present.pop(0))
            self._come(number)
        self.present.append(number)

    def _come(self, number: int) -> None:
        for parameter, home in self._blocks[number]:
            parameter.data = home.to(self._device, non_blocking=True)

    def _leave(self, number: int) -> None:
        for parameter, home in self._blocks[number]:
            parameter.data = home


def _at_home(parameter: nn.Parameter, device: torch.device) -> Tensor:
    """The weight in memory from which it reaches the device without waiting."""
    if type(parameter.data) is not Tensor or type(parameter) is not nn.Parameter:
        kind = type(parameter if type(parameter) is not nn.Parameter else parameter.data).__name__
        raise UserError(
            f"trainer.blocks_on_device: a {kind}, which holds quantised weights, cannot go to and fro. Set it to all."
        )
    home = parameter.data.pin_memory() if device.type == "cuda" else parameter.data
    parameter.data = home
    return home


def block_bytes(network: nn.Module) -> list[int]:
    """Of each block, what its weights take. They may be on the device "meta"."""
    return [sum(weight.nbytes for weight in block.parameters()) for block in repeated_blocks(network)]


def most_bytes(network: nn.Module, limit: int) -> int:
    """What blocks take at most, of which `limit` are there: neighbours, as a pass goes from one to the next."""
    sizes = block_bytes(network)
    return max((sum(sizes[first : first + limit]) for first in range(len(sizes))), default=0)
