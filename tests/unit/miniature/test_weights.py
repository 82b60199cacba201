"""The shipped networks: small, stock, and in step with the world they were trained on."""

from __future__ import annotations

import random
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from transformers import CLIPModel, CLIPTokenizer, ViTModel

from imprint.miniature.captions import caption
from imprint.miniature.quality import upscaling
from imprint.miniature.quality.validity import held_out_scenes
from imprint.miniature.recipe.autoencoder import psnr
from imprint.miniature.recipe.pictures import as_tensor
from imprint.miniature.recipe.stages.job import EVALUATORS, FLOW_WEIGHTS, UPSCALER_WEIGHTS, WEIGHTS
from imprint.miniature.recipe.upscaler import LARGE
from imprint.miniature.references import references
from imprint.miniature.renderer import draw
from imprint.miniature.sampling import pretraining_scene
from imprint.miniature.wording import RARE_IDENTIFIERS


def size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def test_everything_together_stays_small() -> None:
    assert size(WEIGHTS) + size(EVALUATORS) + size(WEIGHTS.parent / "photos") <= 25e6
    assert size(FLOW_WEIGHTS) <= 20e6
    assert size(UPSCALER_WEIGHTS) <= 6e6
    assert sum(map(size, (WEIGHTS, EVALUATORS, WEIGHTS.parent / "photos", FLOW_WEIGHTS, UPSCALER_WEIGHTS))) <= 50e6


def test_stock_diffusers_loads_and_samples() -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(str(WEIGHTS), torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.Generator().manual_seed(0)
    picture = pipeline("a sks dog on the beach", num_inference_steps=8, generator=noise, output_type="np").images[0]
    assert picture.shape == (64, 64, 3)
    # The beach is known: sky above, sand below, not the other way round.
    sky, sand = picture[:12].mean((0, 1)), picture[-8:].mean((0, 1))
    assert sky[2] > sky[0]
    assert sand[0] > sand[2]


def test_the_autoencoder_beats_a_linear_projection_of_the_same_size() -> None:
    vae = StableDiffusionPipeline.from_pretrained(str(WEIGHTS), torch_dtype=torch.float32).vae
    pixels = as_tensor(np.stack([np.asarray(p) for name in ("dog6", "teapot", "can") for p in references(name)]))
    assert psnr(vae, pixels) > 25.4


def test_the_upscaler_beats_bicubic_interpolation_by_what_its_card_says() -> None:
    """Of individuals that it has not seen, in the mean over 48 scenes: single ones differ by more than the bar."""
    pipeline, scenes = upscaling.loaded(UPSCALER_WEIGHTS), held_out_scenes(48)
    truth = as_tensor(np.stack([np.asarray(draw(scene, LARGE)) for scene in scenes]))
    everywhere = torch.ones(truth[:, 0].shape, dtype=torch.bool)
    wanted = {upscaling.FLOOR, "1 step, level 0", f"{upscaling.USUAL_STEPS} steps, level 0"}
    means = {}
    for way, made in upscaling.enlargements(pipeline, scenes, truth, seed=0):
        means[way] = fmean(upscaling.decibels(made, truth, everywhere))
        if wanted <= means.keys():
            break
    floor = means.pop(upscaling.FLOOR)
    assert all(means[way] > floor + 1.5 for way in wanted - {upscaling.FLOOR}), means


def test_the_shipped_tokenizer_knows_every_word_of_todays_grammar() -> None:
    words = CLIPTokenizer.from_pretrained(WEIGHTS / "tokenizer")
    rng = random.Random(0)
    for i in range(300):
        text = caption(pretraining_scene(0, i), rng, rare_share=0.5)
        assert len(words.tokenize(text)) == len(text.split()), text
    assert all(len(words.tokenize(identifier)) == 1 for identifier in RARE_IDENTIFIERS)


def test_the_evaluators_load_through_transformers() -> None:
    clip = CLIPModel.from_pretrained(EVALUATORS / "clip", dtype=torch.float32)
    words = CLIPTokenizer.from_pretrained(EVALUATORS / "clip")
    pixels = as_tensor(np.asarray(references("teapot")[0])[None])
    ids = words(["a teapot", "a dog"], padding=True, return_tensors="pt").input_ids
    with torch.no_grad():
        logits = clip(input_ids=ids, pixel_values=pixels).logits_per_image[0]
        instance = ViTModel.from_pretrained(EVALUATORS / "instance", dtype=torch.float32, add_pooling_layer=False)
        token = instance(pixel_values=pixels).last_hidden_state[:, 0]
    assert logits[0] > logits[1]
    assert torch.isfinite(token).all()
