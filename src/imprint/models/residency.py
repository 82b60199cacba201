"""Which parts of a model are in memory. One that nothing changed can leave, and is read again where it is needed."""

import gc
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from imprint.libraries.process import return_freed_memory
from imprint.libraries.torch import pinned, unpinned

Read = Callable[[str], nn.Module]  # a part as it was loaded, on its device, by its role


class Residency:
    """An absent part is there as a module, with weights on the device "meta": it has names and shapes, and whatever is
    moved or cast passes over it."""

    def __init__(self, parts: Mapping[str, nn.Module], *, absent: Collection[str], read: Read) -> None:
        """`parts` are by role. Of the `absent` ones the weights are on "meta" already."""
        self._parts = parts
        self._read = read
        self._absent: set[str] = set()  # unless somebody needs them at the moment
        self._users: Counter[str] = Counter()
        for role in absent:
            self._absent.add(role)
            pinned(parts[role])

    def release(self, roles: Collection[str]) -> None:
        """From now on these are in memory where they are needed only. Nothing may have changed them."""
        for role in roles:
            assert not any(parameter.requires_grad for parameter in self._parts[role].parameters()), "it learns"
            if role not in self._absent:
                self._absent.add(role)
                self._drop(role)

    def keep(self, roles: Collection[str]) -> None:
        """From now on these are in memory."""
        for role in self._absent.intersection(roles):
            if not self._users[role]:
                self._fetch(role)
            self._absent.remove(role)

    @contextmanager
    def needed(self, roles: Collection[str] | None = None) -> Iterator[None]:
        """Within, these are in memory; without `roles`, all."""
        wanted = self._absent.intersection(self._absent if roles is None else roles)
        came: list[str] = []
        try:
            for role in sorted(wanted):
                if not self._users[role]:
                    self._fetch(role)
                self._users[role] += 1
                came.append(role)
            yield
        finally:
            for role in came:
                self._users[role] -= 1
                if not self._users[role] and role in self._absent:
                    self._drop(role)

    def _fetch(self, role: str) -> None:
        part, read = self._parts[role], self._read(role)
        unpinned(part)
        for name, own in part.named_modules(remove_duplicate=False):  # a family may have taken away what it leaves out
            module = read.get_submodule(name)
            for key, parameter in module.named_parameters(recurse=False):
                setattr(own, key, parameter.requires_grad_(False))
            for key, buffer in module.named_buffers(recurse=False):
                setattr(own, key, buffer)
            for key, value in vars(
                module
            ).items():  # what some modules compute when they are made, and register nowhere
                if isinstance(value, Tensor) and vars(own)[key].is_meta:
                    setattr(own, key, value)

    def _drop(self, role: str) -> None:
        part = self._parts[role]
        weightless: dict[int, nn.Parameter] = {}  # a weight with two names stays one
        for module in part.modules():
            for key, parameter in list(module.named_parameters(recurse=False, remove_duplicate=False)):
                shape = weightless.setdefault(id(parameter), nn.Parameter(parameter.to("meta"), requires_grad=False))
                setattr(module, key, shape)
        pinned(part)
        reclaim()


def is_absent(part: nn.Module) -> bool:
    return any(parameter.is_meta for parameter in part.parameters())


def reclaim() -> None:
    """Gives the memory of networks that are gone back to the system and to the GPU."""
    gc.collect()
    return_freed_memory()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def all_present() -> Residency:
    """Of a model whose parts are always in memory."""

    def read(role: str) -> nn.Module:
        raise AssertionError(f"{role} never leaves")

    return Residency({}, absent=(), read=read)
