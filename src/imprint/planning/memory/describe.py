"""What is said of a plan's memory: in a run's first lines, and of a run that is only planned."""

from collections.abc import Iterator

from imprint.planning.memory.advice import Advice, cheapest_that_fits
from imprint.planning.memory.estimate import Estimate, Phase, Unknown, estimate
from imprint.planning.memory.room import Room, room_of
from imprint.planning.parts import Plan
from imprint.reporting.units import memory
from imprint.training.memory import AUTO

PLENTY = 100  # times the size of the weights: no training of any batch that one would think of comes near it
SMALL = 2**27  # bytes, below which tenths of a GiB say little


def describe(plan: Plan, *, phases: bool) -> Iterator[str]:
    """A line, or two where the memory is not enough; before it one for each phase, if they are asked for."""
    room = room_of(plan.parts.trainer)
    if room is None or not (phases or _may_matter(plan, room)):
        return
    found = estimate(plan, room.device)
    if isinstance(found, Unknown):
        yield f"How much memory it takes is not known: {found.reason}."
        return
    if phases:
        for phase in found.phases:
            yield f"  {phase.name}: {_size(phase.total)} ({_consists(phase)})"
    yield f"Estimated memory: {_most(plan, found)}{_there(room)}."
    if room.bytes is not None and found.peak > room.bytes:
        yield from _remedy(plan, room, room.bytes)


def _may_matter(plan: Plan, room: Room) -> bool:
    """A rehearsal takes seconds, which a run that is over in a minute need not spend where nothing can come of it."""
    if plan.parts.trainer.memory != AUTO or room.bytes is None:
        return True
    roles = plan.parts.model.meta_model().roles
    return room.bytes < PLENTY * sum(4 * weight.numel() for role in roles.values() for weight in role.parameters())


def _most(plan: Plan, found: Estimate) -> str:
    each = " on each device" if plan.parts.trainer.world_size > 1 else ""
    return f"{_size(found.peak)}{each}, most of all while {found.largest.name} ({_consists(found.largest)})"


def _there(room: Room) -> str:
    return "" if room.bytes is None else f"; of {room.words}, {_size(room.bytes)} can be used"


def _remedy(plan: Plan, room: Room, size: int) -> Iterator[str]:
    advice = cheapest_that_fits(plan, room.device, size)
    if advice is None:
        yield "That does not fit, and no setting is known that would take less."
    elif advice.fits:
        settings = " ".join(advice.overrides)
        yield f"That does not fit. The cheapest settings that do ({_each(advice)}): {settings}"
    else:
        yield (
            f"That does not fit, and no settings are known that would. The least ({_each(advice)}): "
            f"{' '.join(advice.overrides)}"
        )


def _each(advice: Advice) -> str:
    size = _size(advice.estimate.peak)
    return size if advice.devices == 1 else f"{size} on each of {advice.devices} devices"


def _consists(phase: Phase) -> str:
    return ", ".join(f"{name} {_size(size)}" for name, size in phase.bytes.items() if size)


def _size(size: int) -> str:
    return memory(size) if size >= SMALL else f"{size / 2**20:.1f} MiB"
