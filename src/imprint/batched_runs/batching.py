"""Who draws together: whose pass is large enough already, and who asks what another has asked."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from imprint.batched_runs.requests import Call
from imprint.libraries.torch import flatten

POSITIONS = 2**16  # of latents, over all samples: 16 of 512 pixels, for a GPU to hold; not measured on one
MOST = 64  # samples, however small: a pass of more is no faster on a CPU's core, only larger


def one_batch(calls: Mapping[int, Call]) -> dict[int, Call]:
    """The first of these, at least one, that a pass is not too small for."""
    taken: dict[int, Call] = {}
    room = float(MOST)
    for point, call in calls.items():
        room -= call.size * max(1.0, _positions(call) * MOST / POSITIONS)
        if taken and room < 0:
            break
        taken[point] = call
    return taken


def deduplicated(calls: Mapping[int, Call], is_untuned: Callable[[int], bool]) -> dict[int, int]:
    """For each point the first one, mostly itself, that asks the same of the same network: before they have learned
    anything, all draw the same pictures."""
    found: dict[int, int] = {}
    untuned: list[int] = []
    for point, call in calls.items():
        found[point] = point
        if is_untuned(point):
            found[point] = next((other for other in untuned if _same(call, calls[other])), point)
            if found[point] == point:
                untuned.append(point)
    return found


def _same(call: Call, other: Call) -> bool:
    mine, theirs = (flatten((each.arguments, dict(each.named)))[0] for each in (call, other))
    return call.kind == other.kind and all(
        torch.equal(one, another) for one, another in zip(mine, theirs, strict=True) if isinstance(one, Tensor)
    )


def _positions(call: Call) -> int:
    latents = call.arguments[0]
    return latents.shape[-2] * latents.shape[-1] if isinstance(latents, Tensor) else 1
