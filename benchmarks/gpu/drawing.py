"""Drawing for an evaluation with a LoRA, loading included: in batches, and by the stock pipeline one picture a call."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import programs
from cases.base import Setting
from cases.drawing import in_batches, noted, one_by_one
from sides import own
from task import RATES, Material, Task

from gpu.device import ON_GPU
from gpu.materials import material_of
from gpu.part import Part

PROMPTS, EACH = 4, 4
WAYS: dict[str, Callable[..., list[str]]] = {"in batches": in_batches, "one picture a call": one_by_one}


def run(part: Part) -> None:
    material = material_of(part, "full")
    for name in WAYS:
        part.item(name, partial(taken, part, material, name))


def taken(part: Part, material: Material, name: str) -> dict[str, Any]:
    prompts, each = (2, 1) if part.rehearse else (PROMPTS, EACH)
    setting = Setting(
        material=material,
        scratch=part.scratch,
        clock="wall",
        threads=4 if ON_GPU else 1,
        precision="32",
        round=0,
    )
    program = WAYS[name](setting, _run(setting), prompts, each)
    return {"pictures": prompts * each, "s": round(noted(setting, program), 2)}


def _run(setting: Setting) -> Path:
    """Which a step has trained."""
    outputs = setting.scratch / "outputs"  # of both ways
    if not list(outputs.glob("*/result")):
        [train] = own.programs([Task(method="lora", lr=RATES["lora"], steps=1)], setting.material, outputs)
        programs.run(train, setting.scratch, threads=setting.threads)
    [run] = [file.parent for file in outputs.glob("*/result")]
    return run
