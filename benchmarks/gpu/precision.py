"""Losses and results of a run in bf16 and 16-mixed beside float32's, on the device and on the CPU.

Random numbers have names, so all runs see the same pictures, noises and times: what differs is rounding. In float32 a
CPU and a GPU differ by the order of sums, and by TF32 where convolutions may use it; the other two by their types.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from task import RATES, Material, Task

from gpu.device import ON_GPU
from gpu.materials import material_of
from gpu.part import Part, Skipped
from gpu.training import overrides, train

STEPS = 8
WORK = {  # size, method
    "mini": ("lora", "dreambooth", "textual_inversion"),
    "sdxl_tiny": ("lora",),
    "flux_tiny": ("lora",),
    "z_image_tiny": ("lora",),
}
REHEARSED = {"tiny": ("lora",), "flux_tiny": ("lora",)}
WAYS = {
    "float32, CPU": ("32", "cpu"),
    "float32": ("32", "cuda"),
    "bf16-mixed, CPU": ("bf16-mixed", "cpu"),
    "bf16-mixed": ("bf16-mixed", "cuda"),
    "16-mixed": ("16-mixed", "cuda"),
}


def run(part: Part) -> None:
    for size, methods in (REHEARSED if part.rehearse else WORK).items():
        for method in methods:
            part.item(f"{size}, {method}", lambda size=size, method=method: compared(part, size, method))  # type: ignore[misc]


def compared(part: Part, size: str, method: Any) -> dict[str, Any]:
    material = material_of(part, size)
    ways = {name: way for name, way in WAYS.items() if ON_GPU or way[1] == "cpu"}
    runs = {name: _trained(part, material, method, *way) for name, way in ways.items()}
    losses, results = runs["float32, CPU"]
    found: dict[str, Any] = {"losses, float32, CPU": [round(loss, 6) for loss in losses]}
    for name, (others, changed) in runs.items():
        if name == "float32, CPU":
            continue
        apart = [abs(other - loss) / abs(loss) for other, loss in zip(others, losses, strict=True)]
        found[name] = {
            "first loss apart": f"{apart[0]:.1e}",
            "most apart of all": f"{max(apart):.1e}",
            "result apart": f"{_apart(changed, results):.1e}",
        }
    return found


def _trained(
    part: Part, material: Material, method: Any, precision: str, accelerator: str
) -> tuple[Sequence[float], Mapping[str, torch.Tensor]]:
    task = Task(method=method, steps=STEPS, lr=RATES[method], batch_size=2)
    outputs = part.fresh(f"{material.size}-{method}-{precision}-{accelerator}")
    run = train(
        overrides(task, material, outputs, f"hparams.precision='{precision}'", f"trainer.accelerator={accelerator}")
    )
    return run.losses, _weights(run.result)


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
