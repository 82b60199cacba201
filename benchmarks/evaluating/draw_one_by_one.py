"""Draws as a plain script does: the stock pipeline with the adapter loaded, one picture a call.

python draw_one_by_one.py MODEL ADAPTER PROMPTS PICTURES_A_PROMPT
"""

import sys
from pathlib import Path

import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
from spent import spent

model, adapter = sys.argv[1:3]
prompts, each = map(int, sys.argv[3:5])
device = "cuda" if torch.cuda.is_available() else "cpu"
output = Path("one_by_one")
output.mkdir()
with spent():
    pipeline = StableDiffusionPipeline.from_pretrained(model, dtype=torch.float32)
    pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    pipeline.load_lora_weights(adapter)
    pipeline.to(device)
    pipeline.set_progress_bar_config(disable=True)
    for prompt in range(prompts):
        for k in range(each):
            noise = torch.Generator(device).manual_seed(prompt * each + k)
            [picture] = pipeline(
                f"a sks dog in place {prompt}", num_inference_steps=50, guidance_scale=7.5, generator=noise
            ).images
            picture.save(output / f"{prompt:02}-{k}.png")
