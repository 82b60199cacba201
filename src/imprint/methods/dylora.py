"""DyLoRA (arXiv 2210.07558): one training gives an adapter of every rank."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import PositiveInt
from torch import Tensor, nn

from imprint.errors import ConfigError, Problem
from imprint.kinds import of_kind
from imprint.methods.adapter_layers import NAME, layers
from imprint.methods.adapters import Size
from imprint.methods.blocks import Blocks, blocks_of, split_weight, whole_weight
from imprint.methods.lora import LoRA
from imprint.models.base import Model, is_text
from imprint.rng import uniform

Split = tuple[Blocks, list[nn.Parameter]]


@of_kind("method/dylora")
@dataclass(kw_only=True)
class DyLoRA(LoRA):
    """In each step a rank b is sampled, and only the first b rows and columns take part, counted alpha / b. So what
    they hold of the subject is sorted by weight, and the result can be cut to any rank.

    The rank belongs to the step: it is sampled from (seed, step), the same for all passes, processes and layers.

    granularity   ranks are multiples of this
    only_last     of the rows and columns that take part only those that the next lower rank lacks learn
    """

    granularity: PositiveInt
    only_last: bool

    chosen: int | None = field(init=False, default=None)

    def faults(self) -> Iterator[str]:
        yield from super().faults()
        if self.use_dora:
            yield "use_dora=True: DoRA's magnitudes belong to one rank. Set it to false, or choose method=lora."
        for name, rank in dict.fromkeys((self._rank_key(role), self.size(role).rank) for role in self.roles):
            if rank % self.granularity:
                above = (rank // self.granularity + 1) * self.granularity
                yield f"{name}={rank}: must be a multiple of granularity={self.granularity}, such as {above}."

    def sampled_blocks(self, role: str, *, seed: int, step: int) -> int:
        """How many blocks take part in a step; every number of them is as likely as any other."""
        return 1 + int(uniform(seed, "dylora", step) * self._count(role))

    def before_step(self, model: Model, *, seed: int, step: int) -> None:
        for role in self.roles:
            count = self.sampled_blocks(role, seed=seed, step=step)
            share = self._count(role) / count  # of alpha / rank, this makes alpha / b
            factor = share**0.5 if self.use_rslora else share
            for layer in layers(model.roles[role]).values():
                (down, _), (up, _) = _split(layer)
                down.use(count, factor=factor, only_last=self.only_last)
                up.use(count, factor=1.0, only_last=self.only_last)

    def skipped_parameters(self, model: Model, *, seed: int, step: int) -> Iterable[nn.Parameter]:
        for role in self.roles:
            count = self.sampled_blocks(role, seed=seed, step=step)
            for layer in layers(model.roles[role]).values():
                for _, parameters in _split(layer):
                    yield from parameters[count:]
                    yield from parameters[: count - 1] if self.only_last else ()

    @property
    def has_ranks(self) -> bool:
        return True

    def choose_rank(self, rank: int) -> None:
        largest = max(self._size_trained(role).rank for role in self.roles)
        if rank % self.granularity or not 0 < rank <= largest:
            steps = f"a multiple of {self.granularity} " if self.granularity > 1 else ""
            raise ConfigError([Problem("rank", rank, f"give {steps}from {self.granularity} to {largest}.")])
        self.chosen = rank

    def size(self, role: str) -> Size:
        trained = self._size_trained(role)
        return trained if self.chosen is None else trained._replace(rank=min(trained.rank, self.chosen))

    def _rank_key(self, role: str) -> str:
        if "rank" in self._of(role):
            return f"by_role.{role}.rank"
        return "text_rank" if is_text(role) else "rank"

    def _count(self, role: str) -> int:
        return self._size_trained(role).rank // self.granularity

    def _learning(self, model: Model, role: str) -> list[nn.Parameter]:
        self._insert(model, role)
        for layer in layers(model.roles[role]).values():
            split_weight(_down(layer), size=self.granularity, dim=0)
            split_weight(_up(layer), size=self.granularity, dim=1)
        return [parameter for parameter in model.roles[role].parameters() if parameter.requires_grad]

    def _weights(self, model: Model, role: str) -> dict[str, Tensor]:
        found = {}
        for name, layer in layers(model.roles[role]).items():
            found[f"{name}.lora_A.weight"] = whole_weight(_down(layer))
            found[f"{name}.lora_B.weight"] = whole_weight(_up(layer))
        return {name: tensor.detach().cpu().float().contiguous() for name, tensor in found.items()}

    def _read(self, model: Model, folder: Path, role: str) -> dict[str, Tensor]:
        rank = self.size(role).rank
        stored = super()._read(model, folder, role)
        cut = {name: x for name, x in stored.items() if x.ndim > 1}  # others are of no adapter, and refused as that
        return {
            **stored,
            **{name: (x[:rank] if ".lora_A." in name else x[:, :rank]).contiguous() for name, x in cut.items()},
        }


def _down(layer: Any) -> nn.Module:
    down: nn.Module = layer.lora_A[NAME]
    return down


def _up(layer: Any) -> nn.Module:
    up: nn.Module = layer.lora_B[NAME]
    return up


def _split(layer: Any) -> tuple[Split, Split]:
    down, up = blocks_of(_down(layer)), blocks_of(_up(layer))
    assert down and up, "these adapters were not attached to learn"
    return down, up
