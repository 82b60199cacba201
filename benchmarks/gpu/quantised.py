"""Frozen weights in fewer bits: memory, a step's time, and how far the losses are from those of whole weights."""

from functools import partial
from typing import Any

import programs
from sides import own
from task import RATES, Material, Task

from gpu.device import ON_GPU
from gpu.materials import material_of
from gpu.part import Part, Skipped
from gpu.training import losses_of

WAYS = (None, "float8", "int8", "nf4")
STEPS = 16


def run(part: Part) -> None:
    _is_known()
    material = material_of(part, "full")
    for way in WAYS:
        part.item(way or "whole", partial(taken, part, material, way))


def _is_known() -> None:
    from imprint.config import compose

    if "quantise" not in compose("train", ["model=sd15"]).model:
        raise Skipped("there is no model.quantise")


def taken(part: Part, material: Material, way: str | None) -> dict[str, Any]:
    task = Task(method="lora", lr=RATES["lora"], steps=4 if part.rehearse else STEPS, precision="bf16")
    folder = part.fresh(way or "whole")
    settings = ["trainer.keep_parts=needed", *([f"model.quantise={way}"] if way else [])]
    [program] = own.programs([task], material, folder / "outputs", *settings)
    try:
        done = programs.run(program, folder, threads=4 if ON_GPU else 1)
    except RuntimeError as error:
        if "bitsandbytes" in str(error):
            raise Skipped("bitsandbytes is not here") from error
        raise
    [run] = [result.parent for result in (folder / "outputs").glob("*/result")]
    return {
        "ms a step": round(1000 * done.step("wall"), 1),
        "peak MB": round(done.peak_bytes / 1e6),
        "losses": [round(loss, 5) for loss in losses_of(run)[:8]],
    }
