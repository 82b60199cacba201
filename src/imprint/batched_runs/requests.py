"""What a point asks for while it trains beside others, and how the requests of several become one."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from imprint.batched_runs.rng_state import RngState
from imprint.libraries.torch import flatten, unflatten


class Ready(NamedTuple):
    """It has put into its copy of the network what it learns, and waits until all others have."""


class Autocast(NamedTuple):
    """In which precision the one who asks computes: each thread has its own."""

    device: str
    dtype: torch.dtype
    enabled: bool

    @classmethod
    def now(cls, device: torch.device) -> "Autocast":
        kind = device.type
        return cls(kind, torch.get_autocast_dtype(kind), torch.is_autocast_enabled(kind))

    def again(self) -> torch.autocast:
        return torch.autocast(self.device, dtype=self.dtype, enabled=self.enabled)


class Call(NamedTuple):
    """The output of a part of the network. The answer is its output or, while learning, AGAIN: begin the pass anew."""

    role: str
    arguments: tuple[Any, ...]
    named: Mapping[str, Any]
    autocast: Autocast
    learning: bool = True  # False: no gradient will be asked for, as when pictures are drawn
    chance: RngState | None = (
        None  # from which its layers draw what they drop, if they do; behind it when it is answered
    )

    @property
    def size(self) -> int:
        """The number of samples."""
        return len(self._tensors()[0])

    @property
    def kind(self) -> tuple[Any, ...]:
        """Calls of one kind can be made as one."""
        values, tree = flatten((self.arguments, dict(self.named)))
        shapes = [(value.shape, value.dtype) if isinstance(value, Tensor) else value for value in values]
        return (self.role, self.autocast, self.learning, str(tree), str(shapes))

    def _tensors(self) -> list[Tensor]:
        return [value for value in flatten((self.arguments, dict(self.named)))[0] if isinstance(value, Tensor)]


class Backward(NamedTuple):
    """The gradients of `parameters`, given those of the outputs. The answer is True when the parameters have them, or
    AGAIN."""

    outputs: Sequence[Tensor]
    gradients: Sequence[Tensor]
    parameters: Sequence[nn.Parameter]


RETRY: Literal["again"] = "again"


def of_one_kind(calls: Mapping[int, Call]) -> dict[int, Call]:
    """Those that can be made as one with the first. The denoiser is the last part of a pass, so it waits for those who
    are not there yet."""
    kinds = {point: call.kind for point, call in calls.items()}
    first = next((kind for point, kind in kinds.items() if calls[point].role != "denoiser"), None)
    kind = first or next(iter(kinds.values()))
    return {point: call for point, call in calls.items() if kinds[point] == kind}


def joined(calls: Sequence[Call]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of all, of one kind, as those of one call: samples follow one another."""
    values, trees = zip(*(flatten((call.arguments, dict(call.named))) for call in calls), strict=True)
    together = [torch.cat(each) if isinstance(each[0], Tensor) else each[0] for each in zip(*values, strict=True)]
    arguments, named = unflatten(together, trees[0])
    return arguments, named


def split(output: Any, sizes: Sequence[int]) -> list[Any]:
    """The output of one call as those of several."""
    values, tree = flatten(output)
    parts = [value.split(list(sizes)) if isinstance(value, Tensor) else [value] * len(sizes) for value in values]
    return [unflatten(list(own), tree) for own in zip(*parts, strict=True)]
