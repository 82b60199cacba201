"""Models with all layers of the published ones: their files are those that other programs know."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from diffusers import DiffusionPipeline
from drawing import ROUNDING, distance
from families import FAMILIES
from PIL import Image
from safetensors.torch import load_file, save_file
from small_runs import configure
from thin import CHOICES, PIXELS, THIN

from imprint.verbs.train import train


def drawn(pipeline: DiffusionPipeline) -> list[Image.Image]:
    pipeline.set_progress_bar_config(disable=True)
    pictures: list[Image.Image] = pipeline(
        "a sks dog", num_inference_steps=2, height=PIXELS, width=PIXELS, generator=torch.Generator().manual_seed(1)
    ).images
    return pictures


@pytest.mark.parametrize("family", THIN)
def test_a_saved_pipeline_has_the_published_names_and_runs_without_being_told_its_precision(
    family: str, thin_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    published = thin_folder(family)
    model = FAMILIES[CHOICES[family]].source(published, resolution=PIXELS).load()
    model.formats["pipeline"].write(tmp_path / "saved", torch.float16)
    for folder in published.glob("*/"):
        for file in folder.glob("*.safetensors"):
            assert load_file(file).keys() == load_file(tmp_path / "saved" / folder.name / file.name).keys()
    assert drawn(DiffusionPipeline.from_pretrained(tmp_path / "saved"))


@pytest.mark.parametrize("settings", [["method.alpha=6"], ["method.alpha=2", "method.use_rslora=true"]])
def test_a_lora_counts_the_same_to_readers_that_pass_over_its_description(
    settings: list[str], thin_folder: Callable[[str], Path], pictures: Path, tmp_path: Path
) -> None:
    base = thin_folder("sd1")
    strong = ["method=lora", "method.rank=3", "method.roles=[denoiser,text]", "method.lr=5e-2", "method.text_lr=5e-2"]
    fixed = [f"model.resolution={PIXELS}", "hparams.steps=2", *strong]
    run = train(configure(base, pictures, tmp_path / "runs", *fixed, *settings))
    [file] = run.result.glob("*.safetensors")
    save_file(load_file(file), tmp_path / "bare.safetensors")
    told, bare, untuned = (DiffusionPipeline.from_pretrained(base) for _ in range(3))
    told.load_lora_weights(file)
    bare.load_lora_weights(tmp_path / "bare.safetensors")
    assert distance(drawn(told), drawn(bare)) <= ROUNDING
    assert distance(drawn(told), drawn(untuned)) > 5 * ROUNDING
