"""A training's step and peak memory at the published sizes, weights random, beside the peer's script or a plain one."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from cases.base import Setting
from cases.steps import KINDS, OF_FAMILIES, read_run
from cases.training import Programs, Trainers, side
from task import Task

from gpu.device import ON_GPU
from gpu.materials import material_of
from gpu.part import Part, Skipped

STEPS = {"full": 40, "sdxl_full": 24}
WORK = (  # size, kind; the other side where it has a script for it
    ("full", "lora"),
    ("sdxl_full", "lora"),
    ("full", "dreambooth-prior"),
    ("full", "textual_inversion"),
    ("sdxl_full", "textual_inversion"),
    ("sdxl_full", "dreambooth"),
)
WHOLE = Task(method="dreambooth", lr=1e-6, steps=0)


def run(part: Part) -> None:
    trainers = Trainers(part.peer)
    for size, kind in WORK[:3] if part.rehearse else WORK:
        material = material_of(part, size)
        kinds = KINDS if material.family == "sd" else OF_FAMILIES[material.family]
        task = kinds[kind].task if kind in kinds else WHOLE
        task = replace(task, steps=6 if part.rehearse else STEPS[size], precision="bf16")
        sides: Mapping[str, Programs] = {
            "imprint": trainers.imprint,
            **({trainers.other_name: trainers.other} if trainers.has(material.family, task.method) else {}),
        }
        for name, programs in sides.items():
            part.item(
                f"{size}, {kind}, {name}", partial(taken, part, material, task, programs, f"{size}-{kind}-{name}")
            )


def _free_gb(part: Part) -> float:
    return shutil.disk_usage(part.work).free / 1e9


def taken(part: Part, material: Any, task: Task, programs: Programs, name: str) -> dict[str, Any]:
    if material.size == "sdxl_full" and task.method == "dreambooth" and _free_gb(part) < 60:
        raise Skipped(f"its result needs 60 GB of disk, {_free_gb(part):.0f} are free")
    setting = Setting(
        material=material,
        scratch=part.fresh(name),
        clock="wall" if ON_GPU else "cpu",
        threads=4 if ON_GPU else 1,
        precision=task.precision,
        round=0,
    )
    values = side(programs, [task], read_run)(setting)
    shutil.rmtree(setting.scratch)
    units = {"step": "ms a step", "start": "s until the first", "whole": "s in all", "memory": "peak MB"}
    return {units[key]: round(value, 2) for key, value in values.items()} | {"steps": task.steps}
