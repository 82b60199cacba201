"""How many points pass at once where memory is short: what is left is taken away until few have room."""

import re
from functools import partial
from pathlib import Path
from typing import Any

from cases.training import Points
from sides import own
from task import RATES, Material, Task

from gpu.device import ON_GPU
from gpu.materials import material_of
from gpu.part import Part
from gpu.training import said_by

PROGRAM = str(Path(__file__).with_name("less_memory.py"))
POINTS, STEPS = 16, 6
LEFT_GB = (24,)
ROOM = re.compile(r"Memory (?:has room for|is not enough for) .*")


def run(part: Part) -> None:
    material = material_of(part, "full")
    for left in LEFT_GB:
        part.item(f"{left} GB left", partial(found, part, material, left))


def found(part: Part, material: Material, left: int) -> dict[str, Any]:
    points, steps = (3, 3) if part.rehearse else (POINTS, STEPS)
    tasks = Points(points).of(Task(method="lora", lr=RATES["lora"], steps=steps, precision="bf16"))
    [[_, *arguments]] = own.programs(tasks, material, part.fresh(f"{left}"))
    said, seconds = said_by([PROGRAM, str(left if ON_GPU else 0), *arguments], part.scratch, part.left)
    return {"points": points, "steps": steps, "s in all": round(seconds, 1), "said": ROOM.findall(said)}
