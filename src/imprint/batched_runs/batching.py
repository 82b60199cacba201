"""Several calls as one: which of them can be batched, how large a batch is, and how its output is split again."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from imprint.batched_runs.requests import Call, is_list_of_samples
from imprint.libraries.torch import flatten, unflatten

MAX_POSITIONS = 2**16  # of latents, over all samples: 16 of 512 pixels, for a GPU to hold; not measured on one
MAX_SAMPLES = 64  # however small: a pass of more is no faster on a CPU's core, only larger


def compatible_calls(calls: Mapping[int, Call]) -> dict[int, Call]:
    """Those that can be made as one with the first. The denoiser is the last part of a pass, so its calls wait until
    no other part is requested."""
    kinds = {point: call.kind for point, call in calls.items()}
    first = next((kind for point, kind in kinds.items() if calls[point].role != "denoiser"), None)
    kind = first or next(iter(kinds.values()))
    return {point: call for point, call in calls.items() if kinds[point] == kind}


def concatenated(calls: Sequence[Call]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of calls of one kind as those of one call: samples follow one another."""
    each_own = [{name: value for name, value in call.keywords.items() if name not in call.shared} for call in calls]
    parts = [
        flatten((call.arguments, own), is_value=is_list_of_samples) for call, own in zip(calls, each_own, strict=True)
    ]
    values, trees = zip(*parts, strict=True)
    joined = [_joined(each) for each in zip(*values, strict=True)]
    arguments, keywords = unflatten(joined, trees[0])
    return arguments, {**calls[0].keywords, **keywords}


def split(output: Any, sizes: Sequence[int]) -> list[Any]:
    """The output of one call as those of several."""
    values, tree = flatten(output, is_value=is_list_of_samples)
    parts = [_split(value, sizes) for value in values]
    return [unflatten(list(own), tree) for own in zip(*parts, strict=True)]


def first_batch(calls: Mapping[int, Call]) -> dict[int, Call]:
    """The first calls, at least one, up to the size beyond which a pass is no faster."""
    batch: dict[int, Call] = {}
    remaining = float(MAX_SAMPLES)
    for point, call in calls.items():
        remaining -= call.size * max(1.0, _positions(call) * MAX_SAMPLES / MAX_POSITIONS)
        if batch and remaining < 0:
            break
        batch[point] = call
    return batch


def deduplicated(calls: Mapping[int, Call], is_untuned: Callable[[int], bool]) -> dict[int, int]:
    """For each point the first one, mostly itself, whose call is identical and passes the same network: before they
    have learned anything, all points generate the same pictures."""
    found: dict[int, int] = {}
    untuned: list[int] = []
    for point, call in calls.items():
        found[point] = point
        if is_untuned(point):
            found[point] = next((other for other in untuned if _identical(call, calls[other])), point)
            if found[point] == point:
                untuned.append(point)
    return found


def _identical(call: Call, other: Call) -> bool:
    return call.kind == other.kind and all(
        torch.equal(mine, theirs) for mine, theirs in zip(call.tensors, other.tensors, strict=True)
    )


def _joined(each: Sequence[Any]) -> Any:
    """One value of all calls; what is no batch is the same in all."""
    if is_list_of_samples(each[0]):
        return [sample for samples in each for sample in samples]
    return torch.cat(list(each)) if isinstance(each[0], Tensor) else each[0]


def _split(value: Any, sizes: Sequence[int]) -> Sequence[Any]:
    """The inverse."""
    if is_list_of_samples(value):
        samples = iter(value)
        return [list(islice(samples, size)) for size in sizes]
    return value.split(list(sizes)) if isinstance(value, Tensor) else [value] * len(sizes)


def _positions(call: Call) -> int:
    latents = call.arguments[0]
    if is_list_of_samples(latents):
        latents = latents[0]
    return latents.shape[-2] * latents.shape[-1] if isinstance(latents, Tensor) else 1
