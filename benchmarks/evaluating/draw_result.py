"""Draws with a saved result as anybody can: the stock pipeline, in batches. The same for whoever saved it.

python draw_result.py MODEL RESULT PROMPTS IMAGES      RESULT: a pipeline or a LoRA; PROMPTS: a file with one a line
"""

import sys
from pathlib import Path

import torch
from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline

AT_ONCE = 25
model, result, prompts, images = map(Path, sys.argv[1:5])
device = "cuda" if torch.cuda.is_available() else "cpu"
is_pipeline = (result / "model_index.json").is_file()
pipeline = StableDiffusionPipeline.from_pretrained(result if is_pipeline else model, dtype=torch.float32)
if not is_pipeline:
    pipeline.load_lora_weights(result)
pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
pipeline.to(device)
pipeline.set_progress_bar_config(disable=True)
images.mkdir()
asked = list(enumerate(prompts.read_text(encoding="utf-8").splitlines()))
for first in range(0, len(asked), AT_ONCE):
    numbers, texts = zip(*asked[first : first + AT_ONCE], strict=True)
    noise = [torch.Generator("cpu").manual_seed(number) for number in numbers]
    drawn = pipeline(list(texts), num_inference_steps=15, guidance_scale=5.0, generator=noise).images
    for number, picture in zip(numbers, drawn, strict=True):
        picture.save(images / f"{number}-0.png")
