"""ComfyUI: its key maps, its adapters' computation, its loading of UNets, text encoders and embeddings."""

import json
import logging
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from common import Case, Found, networks_only, relative_error, run, word
from safetensors.torch import load_file

sys.path.insert(0, os.environ["CLIENT"])
sys.argv.append("--cpu")
import comfy.options  # noqa: E402

comfy.options.enable_args_parsing(False)
import comfy.cli_args  # noqa: E402

comfy.cli_args.args.cpu = True
import comfy.lora  # noqa: E402
import comfy.lora_convert  # noqa: E402
import comfy.model_detection  # noqa: E402
import comfy.sd1_clip  # noqa: E402
import comfy.supported_models  # noqa: E402
import comfy.utils  # noqa: E402

UNET = "model.diffusion_model."
HEAD = 16  # channels of a head, which no weight shows
KINDS = {"sd1": "SD15", "sd2": "SD20", "sdxl": "SDXL"}
TABLES = {f"text_model.embeddings.{name}_embedding.weight" for name in ("token", "position")}
TEXT_ENCODERS = {  # by what the program calls them
    "sd1": {"clip_l": "text_encoder"},
    "sd2": {"clip_h": "text_encoder"},
    "sdxl": {"clip_l": "text_encoder", "clip_g": "text_encoder_2"},
}


class Notes(logging.Handler):
    """What the program logs while it loads."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


notes = Notes()
logging.getLogger().addHandler(notes)


def configuration(case: Case) -> Any:
    """The program's own of this kind of model, told that it is thinner than the real one."""
    found = comfy.model_detection.detect_unet_config(load_file(case["base_file"]), UNET)
    config = getattr(comfy.supported_models, KINDS[case["family"]])(found)
    if config.unet_config.get("num_head_channels", -1) > 0:
        config.unet_config["num_head_channels"] = HEAD
    return config


def split(file: str, config: Any) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """(UNet's, text encoders') weights of a whole model, by the program's names."""
    weights = networks_only(file)
    unet = {
        f"diffusion_model.{name.removeprefix(UNET)}": weights.pop(name)
        for name in list(weights)
        if name.startswith(UNET)
    }
    return unet, config.process_clip_state_dict(weights)


def examine(case: Case) -> Found | None:
    notes.lines.clear()
    if case["format"] == "single_file":
        return whole(case)
    if Path(case["file"]).is_dir():
        return folder(case)
    if case["format"] in ("kohya", "lora", "result"):
        return adapters(case)
    if case["format"] == "embedding":
        return embedding(case)
    return None


def adapters(case: Case) -> Found:
    config = configuration(case)
    unet, clip = split(case["base_file"], config)
    model = SimpleNamespace(state_dict=lambda: unet, model_config=config)
    keys = comfy.lora.model_lora_keys_unet(model, {})
    keys = comfy.lora.model_lora_keys_clip(SimpleNamespace(state_dict=lambda: clip), keys)
    stored = load_file(case["file"])
    patches = comfy.lora.load_lora(comfy.lora_convert.convert_lora(stored), keys)
    ignored = sum("lora key not loaded" in line for line in notes.lines)
    base = {**unet, **clip}
    tuned_unet, tuned_clip = split(case["tuned_file"], config)
    theirs = dict(base)
    for name, patch in patches.items():
        theirs[name] = comfy.lora.calculate_weight([(1.0, patch, 1.0, None, None)], base[name].clone(), name)
    error = relative_error({**tuned_unet, **tuned_clip}, theirs, base)
    return {"keys": len(stored), "used": len(stored) - ignored, "error": error}


def whole(case: Case) -> Found:
    weights = load_file(case["file"])
    config = configuration(case)
    logging.getLogger().setLevel(logging.INFO)
    model = config.get_model(weights, UNET, device="cpu")
    unet = {name.removeprefix(UNET): x for name, x in weights.items() if name.startswith(UNET)}
    missing, unexpected = model.diffusion_model.load_state_dict(config.process_unet_state_dict(unet), strict=False)
    _, clip = split(case["file"], config)
    lost = text_encoders(case, clip)
    total = len(unet) + len(clip)
    note = f"{len(missing)} missing, {len(unexpected)} unexpected"
    return {"keys": total, "used": total - len(unexpected) - lost[1], "note": f"UNet {note}; text {lost[0]} missing"}


def folder(case: Case) -> Found:
    """Its loader of folders gives each text encoder's file to the text encoder as it is."""
    clip: dict[str, torch.Tensor] = {}
    for name, own in TEXT_ENCODERS[case["family"]].items():
        stored = load_file(Path(case["file"]) / own / "model.safetensors")
        clip.update({f"{name}.transformer.{key}": x for key, x in stored.items()})
    missing, unexpected = text_encoders(case, clip)
    return {"keys": len(clip), "used": len(clip) - unexpected, "note": f"text {missing} missing"}


def text_encoders(case: Case, clip: dict[str, torch.Tensor]) -> tuple[int, int]:
    """(missing, unexpected) names, in the program's text encoders with the configurations of these thin ones."""
    missing = unexpected = 0
    for name, own in TEXT_ENCODERS[case["family"]].items():
        config = json.loads((Path(case["base_folder"]) / own / "config.json").read_text())
        network = comfy.sd1_clip.SDClipModel(device="cpu", dtype=torch.float32, textmodel_json_config=config)
        prefix = f"{name}.transformer."
        stored = {key.removeprefix(prefix): x for key, x in clip.items() if key.startswith(prefix)}
        usual = network.transformer.state_dict()
        for key in TABLES & stored.keys():  # of thin models they are shorter
            stored[key] = torch.cat([stored[key], usual[key][len(stored[key]) :]])
        lost, extra = network.load_sd(stored)
        # it has a projection for every text encoder, and uses it only for those that are published with one
        missing += len([key for key in lost if key != "text_projection.weight"])
        unexpected += len(extra)
    return missing, unexpected


def embedding(case: Case) -> Found:
    file = Path(case["file"])
    expected = load_file(case["word_file"])
    if case["family"] == "sdxl":
        expected = {key: expected[key] for key in TEXT_ENCODERS["sdxl"]}
    else:
        expected = {next(iter(TEXT_ENCODERS[case["family"]])): word(case)}
    same = []
    for key, rows in expected.items():
        found = comfy.sd1_clip.load_embed(file.name, str(file.parent), rows.shape[1], key)
        same.append(found is not None and torch.equal(found.float(), rows.float()))
    return {"keys": len(expected), "used": sum(same), "error": 0.0 if all(same) else 1.0}


run(examine)
