"""Results of runs, as `imprint generate`, export and merge make them, and what the stock library draws with them."""

import json
from collections.abc import Sequence
from inspect import signature
from pathlib import Path

import torch
from composed import compose
from diffusers import StableDiffusionPipeline
from drawing import ROUNDING, stock
from families import drawing_of, mend
from PIL import Image
from tiny import RESOLUTION

from imprint.runs import Run
from imprint.verbs.export import export
from imprint.verbs.generate import generate
from imprint.verbs.merge import merge

CLOSE = ROUNDING + 1  # the library draws one picture at a time
PROMPTS = ("a sks dog", "a dog on the beach")
SEEDS = (0, 5)


def drawn(runs: Sequence[Run], folder: Path, *settings: str) -> list[Image.Image]:
    """What `imprint generate` makes."""
    named = ",".join(str(run.folder) for run in runs)
    fixed = ["scheduler=model", "steps=3", "guidance=4", "accelerator=cpu", f"seeds={list(SEEDS)}"]
    prompts = f"prompt={list(PROMPTS)}"
    generate(compose("generate", [f"run=[{named}]", f"outputs={folder}", prompts, *fixed, *settings]))
    index = json.loads((folder / "pictures.json").read_text(encoding="utf-8"))["pictures"]
    return [Image.open(folder / entry["file"]) for entry in index]


def by_the_library(
    pipeline: StableDiffusionPipeline, prompts: Sequence[str] = PROMPTS, seeds: Sequence[int] = SEEDS
) -> list[Image.Image]:
    pipeline.set_progress_bar_config(disable=True)
    mend(pipeline)
    size = {"height": RESOLUTION, "width": RESOLUTION}
    takes = signature(pipeline.__call__).parameters  # an upscaler goes by the picture that it enlarges
    return [
        pipeline(
            prompt=prompt,
            num_inference_steps=3,
            guidance_scale=4.0,
            **{name: side for name, side in size.items() if name in takes},
            generator=torch.Generator().manual_seed(seed),
            **drawing_of(pipeline),
        ).images[0]
        for prompt in prompts
        for seed in seeds
    ]


def with_lora(model: Path, *files: Path, weights: Sequence[float] | None = None) -> StableDiffusionPipeline:
    pipeline = stock(model)
    for number, file in enumerate(files):
        pipeline.load_lora_weights(file, adapter_name=str(number))
    if weights:
        pipeline.set_adapters([str(number) for number in range(len(files))], list(weights))
    return pipeline


def exported(run: Run, path: Path, *settings: str) -> Path:
    return export(compose("export", [f"run={run.folder}", "dtype=float32", f"out={path}", *settings]))


def merged(runs: Sequence[Run], out: Path, *settings: str) -> Path:
    named = ",".join(str(run.folder) for run in runs)
    return merge(compose("merge", [f"run=[{named}]", "dtype=float32", f"out={out}", *settings]))
