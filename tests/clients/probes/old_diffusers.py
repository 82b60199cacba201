"""An older diffusers with an older transformers: its loading of folders, LoRAs and words."""

from pathlib import Path

import diffusers
import torch
from common import Case, Found, relative_error, run
from folders import weights
from safetensors.torch import load_file
from transformers import CLIPTextModel

diffusers.utils.logging.set_verbosity_error()


def pipeline_of(folder: str) -> diffusers.DiffusionPipeline:
    pipeline = diffusers.DiffusionPipeline.from_pretrained(folder, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def state(pipeline: diffusers.DiffusionPipeline, names: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Of UNet and text encoders, by their names in files."""
    own: dict[str, torch.Tensor] = {}
    for part in ("unet", "text_encoder", "text_encoder_2"):
        if network := getattr(pipeline, part, None):
            own |= {f"{part}.{name}": x for name, x in network.state_dict().items()}
    return {name: own[name] for name in names}


def examine(case: Case) -> Found | None:
    file = Path(case["file"])
    if case["format"] == "embedding":
        return embedding(case)
    if file.is_dir():
        return whole(case)
    if case["format"] in ("kohya", "lora", "result") and not case["method"].startswith(("LoHa", "LoKr")):
        return adapters(case)
    return None


def whole(case: Case) -> Found:
    folder = Path(case["file"])
    _, report = CLIPTextModel.from_pretrained(folder / "text_encoder", output_loading_info=True)
    stored = weights(folder)
    pipeline = pipeline_of(case["file"])
    error = relative_error(
        weights(Path(case["tuned_folder"])), state(pipeline, stored), weights(Path(case["base_folder"]))
    )
    pipeline("a dog", num_inference_steps=1, height=64, width=64, output_type="np")
    missing = len(report["missing_keys"])
    return {
        "keys": len(stored),
        "used": len(stored) - missing,
        "error": error,
        "note": f"text {missing} missing; draws",
    }


def adapters(case: Case) -> Found:
    pipeline = pipeline_of(case["base_folder"])
    file = Path(case["file"])
    pipeline.load_lora_weights(file.parent, weight_name=file.name)
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()
    stored = load_file(case["file"])
    base = weights(Path(case["base_folder"]))
    error = relative_error(weights(Path(case["tuned_folder"])), state(pipeline, base), base)
    return {"keys": len(stored), "error": error}


def embedding(case: Case) -> Found | None:
    if case["family"] == "sdxl":
        return None
    pipeline = pipeline_of(case["base_folder"])
    pipeline.load_textual_inversion(case["file"], token="<toy>")
    expected = next(iter(load_file(case["word_file"]).values()))
    ids = pipeline.tokenizer.convert_tokens_to_ids(["<toy>", *(f"<toy>_{i}" for i in range(1, len(expected)))])
    found = pipeline.text_encoder.get_input_embeddings().weight[ids]
    same = torch.equal(found.float(), expected.float())
    return {"keys": 1, "used": int(same), "error": 0.0 if same else 1.0}


run(examine)
