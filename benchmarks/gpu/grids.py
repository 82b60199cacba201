"""Twelve LoRA points of Stable Diffusion 1.5's size: side by side, and one after another on weights loaded once."""

from functools import partial
from typing import Any

import programs
from cases.training import Points
from sides import own
from task import RATES, Material, Task

from gpu.device import ON_GPU
from gpu.materials import material_of
from gpu.part import Part

POINTS, STEPS = 12, 15
WAYS = {"side by side": [], "one after another": ["hydra/launcher=stacked", "hydra.launcher.max_points=1"]}


def run(part: Part) -> None:
    material = material_of(part, "full")
    found = {name: part.item(name, partial(taken, part, material, name)) for name in WAYS}
    together, in_turn = (found[name] for name in WAYS)
    if together and in_turn:
        part.item("ratio", lambda: {"of seconds in all": round(together["s in all"] / in_turn["s in all"], 3)})


def taken(part: Part, material: Material, name: str) -> dict[str, Any]:
    points, steps = (3, 2) if part.rehearse else (POINTS, STEPS)
    tasks = Points(points).of(Task(method="lora", lr=RATES["lora"], steps=steps, precision="bf16"))
    folder = part.fresh(name.replace(" ", "-"))
    [program] = own.programs(tasks, material, folder / "outputs", *WAYS[name])
    done = programs.run(program, folder, threads=4 if ON_GPU else 1)
    return {
        "points": points,
        "steps": steps,
        "s in all": round(done.seconds, 2),
        "s until the first update": round(done.at(0, "wall"), 2),
        "peak MB": round(done.peak_bytes / 1e6),
    }
