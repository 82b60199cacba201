"""LoRA on a network of FLUX.1's size: what it took of the GPU, and what the plan says that it needs.

Its weights are zeros, which take as much memory, and some less time.
"""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import programs
from sides import own
from task import RATES, Material, Task

from gpu.device import DEVICE, ON_GPU
from gpu.materials import material_of
from gpu.part import Part, Skipped
from gpu.training import overrides

TASK = Task(method="lora", lr=RATES["lora"], steps=4, rank=16, precision="bf16")
ANEW = "trainer.gradient_checkpointing=true"
WAYS: Mapping[str, Sequence[str]] = {
    "as it is": [],
    "blocks computed anew": [ANEW],
    "float8": [ANEW, "model.quantise=float8"],
    "8 blocks at a time": [ANEW, "trainer.blocks_on_device=8"],
}


def run(part: Part) -> None:
    material = material_of(part, "flux_full")
    os.environ["IMPRINT_CACHE"] = str(part.scratch / "cache")  # as of the programs: 25 GB are hashed once
    for name in list(WAYS)[:1] if part.rehearse else WAYS:
        settings = ["trainer.keep_parts=needed", *WAYS[name]]
        found = part.item(name, partial(taken, part, material, name, settings))
        if found is not None:
            part.item(f"{name}, the plan", partial(planned, part, material, settings, found["peak MB"]))


def taken(part: Part, material: Material, name: str, settings: Sequence[str]) -> dict[str, Any]:
    _known(settings)
    folder = part.fresh(name.replace(" ", "-"))
    [program] = own.programs([TASK], material, folder / "outputs", *settings)
    done = programs.run(program, part.scratch, threads=4 if ON_GPU else 1)
    return {"peak MB": round(done.peak_bytes / 1e6), "s until the first step": round(done.start("wall"), 1)}


def planned(part: Part, material: Material, settings: Sequence[str], measured: int) -> dict[str, Any]:
    try:
        from imprint.planning.memory.estimate import estimate
    except ImportError:
        raise Skipped("there is no estimate of memory") from None
    from imprint.config import compose
    from imprint.planning.prepare import prepare

    cfg = compose("train", overrides(TASK, material, part.fresh("planned"), *settings))
    found = estimate(prepare(cfg), DEVICE)
    if not hasattr(found, "phases"):
        raise RuntimeError(f"it cannot be estimated: {found}")
    phases = {phase.name: round(phase.total / 1e6) for phase in found.phases}
    peak = found.peak / 1e6
    ratio = {"measured by the plan's": round(measured / peak, 3)} if ON_GPU else {}  # libraries are in a CPU's
    return {"MB by phase": phases, "peak MB": round(peak), **ratio}


def _known(settings: Sequence[str]) -> None:
    from imprint.config import compose

    cfg = compose("train", ["model=flux"])
    for setting in settings:
        group, _, key = setting.partition("=")[0].partition(".")
        if key not in cfg[group]:
            raise Skipped(f"there is no {group}.{key}")
