"""What a point requests while it runs in a batch with others, and the proxies of network parts that request it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from imprint.batched_runs.batch_layout import RngState
from imprint.libraries.torch import flatten
from imprint.models.base import Model

RETRY: Literal["retry"] = "retry"  # the answer where a pass failed: make the same pass again

Request = Callable[[Any], Any]  # sends a request to the scheduler and returns its answer
Forward = Callable[[str, tuple[Any, ...], dict[str, Any]], Any]  # role, arguments, keywords -> output


class Ready(NamedTuple):
    """The point has put what it learns into its copy of the network, and waits until all others have."""


class Autocast(NamedTuple):
    """The precision that the requesting thread computes in: each thread has its own."""

    device: str
    dtype: torch.dtype
    enabled: bool

    @classmethod
    def current(cls, device: torch.device) -> "Autocast":
        kind = device.type
        return cls(kind, torch.get_autocast_dtype(kind), torch.is_autocast_enabled(kind))

    def context(self) -> torch.autocast:
        return torch.autocast(self.device, dtype=self.dtype, enabled=self.enabled)


def is_list_of_samples(value: Any) -> bool:
    """Whether it is a batch of samples that may differ in their sizes, which some networks take and return."""
    return isinstance(value, list) and bool(value) and all(isinstance(sample, Tensor) for sample in value)


class Call(NamedTuple):
    """The output of a part of the network. The answer is its output or, where gradients are needed, RETRY.

    A batch is a tensor, or a list of samples.
    """

    role: str
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]
    autocast: Autocast
    needs_grad: bool = True  # False while pictures are generated
    rng_state: RngState | None = None  # where its layers drop something; has moved on when the call is answered
    shared: frozenset[str] = frozenset()  # keywords whose value is that of all samples

    @property
    def size(self) -> int:
        """The number of samples."""
        values, _ = self.values
        return next(len(value) for value in values if isinstance(value, Tensor | list))

    @property
    def kind(self) -> tuple[Any, ...]:
        """Calls of one kind can be made as one."""
        values, tree = self.values
        return (self.role, self.autocast, self.needs_grad, str(tree), str([self._shape(value) for value in values]))

    @property
    def values(self) -> tuple[list[Any], Any]:
        """Those of arguments and keywords, and how they are nested."""
        return flatten((self.arguments, dict(self.keywords)), is_value=is_list_of_samples)

    @property
    def tensors(self) -> list[Tensor]:
        values, _ = flatten((self.arguments, dict(self.keywords)))
        return [value for value in values if isinstance(value, Tensor)]

    def _shape(self, value: Any) -> Any:
        """What values of calls of one kind have in common. The network fills samples of several sizes up by itself; but
        what its layers drop would depend on how far, so where they do, each point's samples stay as large as alone."""
        if isinstance(value, Tensor):
            return value.shape, value.dtype
        if is_list_of_samples(value):
            sizes = [sample.shape for sample in value] if self.rng_state is not None else len(value)
            return sizes, {sample.dtype for sample in value}
        return value


class Backward(NamedTuple):
    """The gradients of `parameters`, given those of the outputs. The answer is True when the parameters have them, or
    RETRY."""

    outputs: Sequence[Tensor]
    gradients: Sequence[Tensor]
    parameters: Sequence[nn.Parameter]


class ForwardProxy(nn.Module):
    """Takes a part's place in the model: `forward` requests the part's output instead of computing it."""

    def __init__(self, role: str, part: nn.Module, forward: Forward) -> None:
        super().__init__()
        self.part = part  # models look at a part's type
        self._role = role
        self._forward = forward

    def forward(self, *arguments: Any, **keywords: Any) -> Any:
        return self._forward(self._role, arguments, keywords)


@contextmanager
def replaced_roles(model: Model, roles: Mapping[str, nn.Module]) -> Iterator[None]:
    before = model.roles
    model.roles = {**before, **roles}
    try:
        yield
    finally:
        model.roles = before


@contextmanager
def generating_by_proxy(model: Model, request: Request) -> Iterator[None]:
    """While `model` generates pictures, each pass through its denoiser is requested. It must not learn meanwhile."""
    denoiser = model.roles["denoiser"]
    device = next(denoiser.parameters()).device

    def forward(role: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        return request(Call(role, arguments, keywords, Autocast.current(device), False, shared=model.shared_inputs))

    with replaced_roles(model, {"denoiser": ForwardProxy("denoiser", denoiser, forward)}):
        yield
