"""The plain script of our own: a launch for each task."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from plain_loop import PlainSettings
from task import WORD, Material, Method, Task

FAMILIES: Mapping[str, Sequence[Method]] = {"sd": ("dreambooth", "lora", "textual_inversion")}
SCRIPT = Path(__file__).parents[1] / "plain_loop.py"


def programs(tasks: Sequence[Task], material: Material, outputs: Path) -> list[list[str]]:
    return [_program(task, material, outputs, number) for number, task in enumerate(tasks)]


def _program(task: Task, material: Material, outputs: Path, number: int) -> list[str]:
    class_pictures = {"none": None, "found": str(material.class_pictures), "drawn": str(outputs / "class")}
    settings = PlainSettings(
        method=task.method,
        model=str(material.model),
        output=str(outputs / f"{number:02}"),
        pictures=str(material.pictures),
        class_pictures=class_pictures[task.prior],
        class_count=task.class_count,
        word=WORD,
        prompt=f"a photo of a {WORD}" if task.method == "textual_inversion" else material.prompt,
        class_prompt=material.class_prompt,
        noun=material.noun,
        resolution=material.resolution,
        steps=task.steps,
        batch_size=task.batch_size,
        rank=task.rank,
        lr=task.lr,
        seed=task.seed,
        bf16=task.precision == "bf16",
    )
    return [str(SCRIPT), json.dumps(asdict(settings))]
