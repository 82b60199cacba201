"""Losses and results of a run in bf16 and 16-mixed beside float32's, on the device and on the CPU.

Random numbers have names, so all runs see the same pictures, noises and times: what differs is rounding. In float32 a
CPU and a GPU differ by the order of sums, and by TF32 where convolutions may use it; the other two by their types.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file
from task import RATES, Material, Method, Task

from gpu.device import ON_GPU
from gpu.materials import material_of
from gpu.part import Part, Skipped
from gpu.training import losses_of, overrides, train

STEPS = 8
WORK: Mapping[str, tuple[Method, ...]] = {  # size, method
    "mini": ("lora", "dreambooth", "textual_inversion"),
    "sdxl_tiny": ("lora",),
    "flux_tiny": ("lora",),
    "z_image_tiny": ("lora",),
}
REHEARSED: Mapping[str, tuple[Method, ...]] = {"tiny": ("lora",), "flux_tiny": ("lora",)}
WAYS = {  # the first is what the others are compared with
    "float32, CPU": ("32", "cpu"),
    "float32": ("32", "cuda"),
    "bf16-mixed, CPU": ("bf16-mixed", "cpu"),
    "bf16-mixed": ("bf16-mixed", "cuda"),
    "16-mixed": ("16-mixed", "cuda"),
}


def run(part: Part) -> None:
    for size, methods in (REHEARSED if part.rehearse else WORK).items():
        material = material_of(part, size)
        for method in methods:
            for name, (precision, accelerator) in WAYS.items():
                if ON_GPU or accelerator == "cpu":
                    lesson = Lesson(material, method, precision, accelerator)
                    part.item(f"{size}, {method}, {name}", partial(taught, part, lesson))


class Lesson(NamedTuple):
    material: Material
    method: Method
    precision: str
    accelerator: str

    @property
    def folder(self) -> str:
        return f"{self.material.size}-{self.method}-{self.precision}-{self.accelerator}"


def taught(part: Part, lesson: Lesson) -> dict[str, Any]:
    """Losses; and how far they and the result are from the first way's, which is trained before."""
    task = Task(method=lesson.method, steps=STEPS, lr=RATES[lesson.method], batch_size=2)
    settings = [f"hparams.precision='{lesson.precision}'", f"trainer.accelerator={lesson.accelerator}"]
    run = train(overrides(task, lesson.material, part.fresh(lesson.folder), *settings))
    found: dict[str, Any] = {"losses": [round(loss, 6) for loss in run.losses]}
    precision, accelerator = next(iter(WAYS.values()))
    if (lesson.precision, lesson.accelerator) == (precision, accelerator):
        return found
    first = lesson._replace(precision=precision, accelerator=accelerator)
    results = list((part.scratch / first.folder).glob("*/result"))
    if not results:
        raise Skipped("what it would be compared with was trained on another machine")
    losses, weights = losses_of(results[0].parent), _weights(results[0])
    apart = [abs(other - loss) / abs(loss) for other, loss in zip(run.losses, losses, strict=True)]
    return {
        **found,
        "first loss apart": f"{apart[0]:.1e}",
        "most apart of all": f"{max(apart):.1e}",
        "result apart": f"{_apart(_weights(run.result), weights):.1e}",
    }


def _weights(folder: Path) -> Mapping[str, torch.Tensor]:
    """What a LoRA or a word is; of DreamBooth the denoiser."""
    files = [*folder.glob("*.safetensors")] or [
        *folder.glob("unet/*.safetensors"),
        *folder.glob("transformer/*.safetensors"),
    ]
    if not files:
        raise Skipped(f"{folder} has no weights that can be compared")
    return {name: value.float() for file in files for name, value in load_file(file).items()}


def _apart(found: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> float:
    """The distance of all weights, as a part of their length."""
    apart = sum(float((found[name] - other[name]).square().sum()) for name in other)
    length = sum(float(value.square().sum()) for value in other.values())
    return float((apart / length) ** 0.5)
