"""Whether a step waits for the device before the next one is asked for, by torch's own debug mode.

`tests/contracts/test_waiting.py` holds it on a device that never answers; here a real one says so, and says where. In
16-mixed the scaler reads whether a gradient is finite, so one wait a step is Lightning's.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sides import own
from task import RATES, Material, Task

from gpu.device import ON_GPU
from gpu.materials import material_of
from gpu.part import Part, Skipped
from gpu.training import overrides, said_by

PROGRAM = str(Path(__file__).with_name("waits.py"))
STEPS, FIRST, LAST = 12, 4, 10  # updates between which is looked; what is read seldom is not read between them
POINTS = 4
WAYS = {
    "LoRA, bf16": ("lora", "bf16-mixed"),
    "DreamBooth, bf16": ("dreambooth", "bf16-mixed"),
    "Textual Inversion, bf16": ("textual_inversion", "bf16-mixed"),
    "LoRA, float32": ("lora", "32"),
    "LoRA, 16-mixed": ("lora", "16-mixed"),
}
REHEARSED = ("LoRA, bf16",)


def run(part: Part) -> None:
    material = material_of(part, "tiny" if part.rehearse else "mini")
    for name in REHEARSED if part.rehearse else WAYS:
        method, precision = WAYS[name]
        part.item(name, lambda method=method, precision=precision: alone(part, material, method, precision))  # type: ignore[misc]
    part.item(f"{POINTS} LoRA side by side, bf16", lambda: side_by_side(part, material))


def alone(part: Part, material: Material, method: Any, precision: str) -> dict[str, Any]:
    task = Task(method=method, steps=STEPS, lr=RATES[method], batch_size=2)
    outputs = part.fresh(f"{method}-{precision}")
    return _waits(part, ["train", *overrides(task, material, outputs, *_seldom(precision))], 1)


def side_by_side(part: Part, material: Material) -> dict[str, Any]:
    tasks = [Task(method="lora", steps=STEPS, lr=RATES["lora"], seed=seed) for seed in range(POINTS)]
    [[_, *arguments]] = own.programs(tasks, material, part.fresh("grid"), *_seldom("bf16-mixed"))
    return _waits(part, arguments, POINTS)


def _seldom(precision: str) -> Sequence[str]:
    return [
        f"hparams.precision='{precision}'",
        "report.every=1000",
        "trainer.checkpoint_every=1000",
        "report.progress=off",
    ]


def _waits(part: Part, arguments: Sequence[str], points: int) -> dict[str, Any]:
    report = part.scratch / "waits.json"
    said_by([PROGRAM, str(report), str(FIRST * points), str(LAST * points), *arguments], part.scratch, part.left)
    told: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    if told["updates"] != STEPS * points:
        raise RuntimeError(f"{told['updates']} updates were seen, not {STEPS * points}")
    if not ON_GPU:
        raise Skipped(f"no GPU could be waited for; {told['updates']} updates were seen")
    return {"steps looked at": LAST - FIRST, "points": points, **told}
