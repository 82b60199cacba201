"""Which points can share one network while they train, and why others cannot."""

from collections.abc import Hashable, Iterator, Sequence
from typing import NamedTuple

from imprint.methods.adapters import Adapters
from imprint.methods.base import Method
from imprint.methods.lora import LoRA
from imprint.methods.pivotal import Pivotal
from imprint.methods.textual_inversion import TextualInversion
from imprint.planning.parts import Plan

WITH_CONVOLUTIONS = frozenset({"feed_forward", "convolutions"})  # kinds of layers that are convolutions in some model


class Group(NamedTuple):
    """The numbers of points that are trained together. `reason` says why a single point is on its own."""

    points: tuple[int, ...]
    reason: str | None


def groups(plans: Sequence[Plan | None], max_points: int | None = None) -> list[Group]:
    """Each point in one group, groups in the order of their first points. A point without a plan stays on its own.

    The points of a group have the same passes through the network: the model, its precision, and the shape of the
    batch. Pictures, prior, objective, optimiser, rates, ranks, lengths and seeds may differ.
    """
    found: list[Group] = []
    alike: dict[Hashable, list[int]] = {}
    seen: set[str] = set()
    for number, plan in enumerate(plans):
        reason = "it cannot be prepared" if plan is None else next(_obstacles(plan, seen), None)
        if plan is None or reason is not None:
            found.append(Group((number,), reason))
            continue
        seen.add(plan.run.folder.name)
        alike.setdefault(_group_key(plan), []).append(number)
    for members in alike.values():
        size = max_points or len(members)
        parts = [tuple(members[first : first + size]) for first in range(0, len(members), size)]
        reason = _why_single(members, others=len(alike) > 1, max_points=max_points)
        found += [Group(part, reason if len(part) == 1 else None) for part in parts]
    return sorted(found)


def describe(found: Sequence[Group], names: Sequence[str]) -> list[str]:
    """Each group and its points, then single points by the reason for it. `names` are those of all points."""
    lines: list[str] = []
    reasons: dict[str, list[int]] = {}
    for group in found:
        if group.reason is not None:
            reasons.setdefault(group.reason, []).extend(group.points)
        else:
            lines += [f"Side by side: {len(group.points)} points.", _listed(group.points, names)]
    for reason, points in reasons.items():
        lines += [f"In turn: {len(points)}, since {reason}.", _listed(points, names)]
    return lines


def _listed(points: Sequence[int], names: Sequence[str]) -> str:
    return "  " + "; ".join(names[point] for point in points)


def _why_single(members: Sequence[int], *, others: bool, max_points: int | None) -> str:
    """Why a point of `members`, which could be trained together, is on its own."""
    if len(members) > 1:
        return f"no other is left to join it in a group of {max_points}"
    return "no other has its model, precision and batch size" if others else "no other is like it"


def network_key(plan: Plan) -> Hashable:
    """Equal for points with the same untuned weights and the same latents of a picture."""
    parts = plan.parts
    return (
        repr((plan.identity["content"]["model"], plan.identity["model"])),
        parts.hparams.precision,
        parts.trainer.accelerator,
        plan.facts.resolution,
    )


def _group_key(plan: Plan) -> Hashable:
    parts = plan.parts
    return (
        network_key(plan),
        parts.hparams.batch_size,
        parts.trainer.accumulation,
        parts.trainer.channels_last and _trained_convolutions(parts.method),
    )


def _trained_convolutions(method: Method) -> Hashable:
    """Where one of these learns, trainer.channels_last changes no memory layout; dropout masks depend on the layout."""
    if isinstance(method, Pivotal):
        return _trained_convolutions(method.network)
    return WITH_CONVOLUTIONS.intersection(method.kinds) if isinstance(method, Adapters) else frozenset()


def _obstacles(plan: Plan, seen: set[str]) -> Iterator[str]:
    trainer = plan.parts.trainer
    if plan.run.folder.name in seen:
        yield "it is the same run as another point"
    if plan.run.status == "finished":
        yield "it is trained"
    yield from _method_obstacles(plan.parts.method)
    if trainer.world_size > 1:
        yield f"it takes {trainer.world_size} devices"
    if trainer.shards:
        yield "trainer.strategy=fsdp: what devices share is the network of one point"
    if plan.parts.model.training_adapter_file() is not None:
        yield "model.training_adapter is set: it is around the layers of one network"
    if trainer.compile:
        yield "trainer.compile=true: what is compiled is the network of one point"
    if trainer.keep_parts != "all":
        yield "trainer.keep_parts=needed: parts that leave the memory are those of one run"
    if trainer.blocks_on_device != "all":
        yield "trainer.blocks_on_device: blocks come and go for one run"
    if trainer.offload_activations:
        yield "trainer.offload_activations=true: what is kept for the backward pass is that of one run"
    if trainer.gradient_checkpointing:
        level = str(trainer.gradient_checkpointing).lower()
        yield f"trainer.gradient_checkpointing={level}: layers that are computed again must know whose samples they had"


def _method_obstacles(method: Method) -> Iterator[str]:
    """Compared by exact type: a subclass may have layers that cannot be stacked."""
    if type(method) is Pivotal:
        yield from _method_obstacles(method.network)
    elif type(method) is LoRA:
        if method.use_dora:
            yield "method.use_dora=true: directions and magnitudes are not products that can be stacked"
    elif type(method) is not TextualInversion:
        yield f"{type(method).__name__} changes the network in a way that is not known to stack"
