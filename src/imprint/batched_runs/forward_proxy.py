"""Parts of a network whose passes are made by whoever answers, together with those of others."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import nn

from imprint.batched_runs.requests import Autocast, Call
from imprint.models.base import Model

Ask = Callable[[Any], Any]
Made = Callable[[str, tuple[Any, ...], dict[str, Any]], Any]  # role, arguments, named ones -> output


class ForwardProxy(nn.Module):
    """In a part's place: the same call, made by whoever answers."""

    def __init__(self, role: str, part: nn.Module, made: Made) -> None:
        super().__init__()
        self.part = part  # families look at a part's type
        self._role = role
        self._made = made

    def forward(self, *arguments: Any, **named: Any) -> Any:
        return self._made(self._role, arguments, named)


@contextmanager
def in_place(model: Model, roles: Mapping[str, nn.Module]) -> Iterator[None]:
    before = model.roles
    model.roles = {**before, **roles}
    try:
        yield
    finally:
        model.roles = before


@contextmanager
def drawing_by_proxy(model: Model, ask: Ask) -> Iterator[None]:
    """For as long as `model` draws: each pass through its denoiser is asked for. It must learn nothing meanwhile."""
    denoiser = model.roles["denoiser"]
    device = next(denoiser.parameters()).device

    def made(role: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        return ask(Call(role, arguments, named, Autocast.now(device), learning=False))

    with in_place(model, {"denoiser": ForwardProxy("denoiser", denoiser, made)}):
        yield
