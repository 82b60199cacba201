"""LoRA on a network of FLUX.1's size: what it took, and what the plan says that it needs. Its weights are zeros."""

import re
from functools import partial
from typing import Any

import programs
from sides import own
from task import RATES, Material, Task

from gpu.device import ON_GPU
from gpu.materials import material_of
from gpu.part import Part, Skipped
from gpu.training import said_by

STEPS = 6
WAYS = {
    "as it is": [],
    "gradient checkpointing": ["trainer.gradient_checkpointing=true"],
}
ESTIMATE = re.compile(r"^.*\b(?:GB|GiB|MB|MiB)\b.*$", re.MULTILINE)


def run(part: Part) -> None:
    material = material_of(part, "flux_full")
    for name in list(WAYS)[:1] if part.rehearse else WAYS:
        part.item(name, partial(taken, part, material, name))


def taken(part: Part, material: Material, name: str) -> dict[str, Any]:
    task = Task(method="lora", lr=RATES["lora"], steps=STEPS, rank=16, precision="bf16")
    folder = part.fresh(name.replace(" ", "-"))
    settings = ["trainer.keep_parts=needed", *WAYS[name]]
    [program] = own.programs([task], material, folder / "outputs", *settings)
    done = programs.run(program, folder, threads=4 if ON_GPU else 1)
    found: dict[str, Any] = {
        "peak MB": round(done.peak_bytes / 1e6),
        "s until the first": round(done.start("wall"), 1),
    }
    part.item(f"{name}, the plan", partial(planned, part, program, found["peak MB"]))
    return found


def planned(part: Part, program: list[str], measured: int) -> dict[str, Any]:
    """The lines of a dry run that tell of memory."""
    said, _ = said_by(["-m", "imprint.cli", *program[1:], "dry_run=true"], part.scratch, part.left)
    lines = [line.strip() for line in ESTIMATE.findall(said)]
    if not lines:
        raise Skipped("the plan says nothing of memory")
    return {"said": lines[:20], "measured MB": measured}
