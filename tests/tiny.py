"""Tiny Stable Diffusion models with random weights, written in the real formats in a fraction of a second."""

import json
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from imprint.models.families.sd import StableDiffusionSource
from imprint.types import Sampler

TEXT_ENCODER = Path(__file__).parent / "tiny_text_encoder.safetensors"  # of seed 0
RESOLUTION = 32  # pixels on a side; latents are a quarter of it
TOKENS = 24
WORDS = ["a", "an", "the", "of", "in", "on", "with", "and", "photo", "picture", "painting", "drawing"]
WORDS += ["style", "dog", "cat", "vase", "backpack", "toy", "person", "beach", "snow", "red", "blue", "small"]
RARE_WORDS = ["ktn", "sks", "olis", "zwx", "qvb", "xjf"]  # the last of the vocabulary, as rare tokens are


def tiny_pipeline(
    folder: Path,
    *,
    prediction: Literal["epsilon", "v_prediction"] = "epsilon",
    zero_snr: bool = False,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    variant: str | None = None,
    pickled: bool = False,
    second_generation: bool = False,
) -> Path:
    """Writes a pipeline folder and returns it.

    `variant` names the weight files (fp16: `diffusion_pytorch_model.fp16.safetensors`), `pickled` leaves only
    `.bin` weights, `second_generation` builds the networks as SD 2.x does (linear projections, OpenCLIP's
    text encoder).
    """
    pipeline = _assemble(prediction, zero_snr, seed, second_generation)
    for module in (pipeline.unet, pipeline.vae, pipeline.text_encoder):
        nn.Module.to(module, dtype)
    pipeline.save_pretrained(folder, variant=variant)
    use_published_forms(folder)
    if pickled:
        for weights in folder.glob("*/*.safetensors"):
            torch.save(load_file(weights), weights.with_name(_PICKLED_NAMES[weights.name]))
            weights.unlink()
    return folder


def tiny_source(path: Path | str, **settings: Any) -> StableDiffusionSource:
    """A tiny model as a `model` configuration names it."""
    usual = {
        "revision": None,
        "variant": None,
        "config": None,
        "prediction": "auto",
        "resolution": RESOLUTION,
        "allow_pickle": False,
        "sampler": Sampler("DDIMScheduler", 4, 5.0, ""),
        "encoders": {},
        "times": None,
        "distilled": False,
        "training_adapter": None,
        "quantise": None,
        "quantise_parts": None,
    }
    return StableDiffusionSource(source=str(path), **{**usual, **settings})


def tiny_file(path: Path, pipeline: Path) -> Path:
    """Writes the tiny `pipeline` as one `.safetensors` file in the original layout and returns it."""
    tiny_source(pipeline).load().formats["single_file"].write(path, torch.float32)
    return path


def tiny_tokenizer(pad: str = "<|endoftext|>") -> CLIPTokenizer:
    """WORDS and RARE_WORDS are single tokens; everything else falls into letters."""
    letters = byte_letters()
    merges: list[tuple[str, str]] = []
    for word in (*WORDS, *RARE_WORDS):
        pieces = merged_pieces([*word[:-1], word[-1] + "</w>"], merges)
        while len(pieces) > 1:
            merges.append((pieces[0], pieces[1]))
            pieces = merged_pieces(pieces, merges)
    tokens = [*letters, *(letter + "</w>" for letter in letters), *(left + right for left, right in merges)]
    vocabulary = dict.fromkeys([*tokens, "<|startoftext|>", "<|endoftext|>"])
    return CLIPTokenizer(
        vocab={token: index for index, token in enumerate(vocabulary)},
        merges=merges,
        model_max_length=TOKENS,
        pad_token=pad,
    )


_PICKLED_NAMES = {
    "diffusion_pytorch_model.safetensors": "diffusion_pytorch_model.bin",
    "model.safetensors": "pytorch_model.bin",
}


def _assemble(prediction: str, zero_snr: bool, seed: int, second_generation: bool) -> StableDiffusionPipeline:
    tokenizer = tiny_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = AutoencoderKL(
            block_out_channels=(8, 8, 16),
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=4,
            sample_size=RESOLUTION,
            scaling_factor=0.18215,
        )
        unet = UNet2DConditionModel(
            sample_size=RESOLUTION // 4,
            block_out_channels=(8, 16),
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
            layers_per_block=1,
            attention_head_dim=[2, 4] if second_generation else 2,
            use_linear_projection=second_generation,
            cross_attention_dim=16,
            norm_num_groups=4,
        )
        text_encoder = CLIPTextModel(
            CLIPTextConfig(
                vocab_size=len(tokenizer),
                hidden_size=16,
                intermediate_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                max_position_embeddings=TOKENS,
                hidden_act="gelu" if second_generation else "quick_gelu",
                projection_dim=16,
                bos_token_id=tokenizer.bos_token_id,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
            )
        )
    if seed == 0:
        _same_in_all_releases(text_encoder)
    return StableDiffusionPipeline(
        vae,
        text_encoder,
        tokenizer,
        unet,
        _scheduler(prediction, zero_snr),
        None,
        None,
        requires_safety_checker=False,
    )


def _same_in_all_releases(text_encoder: CLIPTextModel) -> None:
    """transformers draws first weights in another order from release to release and names them otherwise, and the
    golden losses begin with them."""
    stored = load_file(TEXT_ENCODER)
    own = text_encoder.state_dict()
    text_encoder.load_state_dict({name: stored[name.removeprefix("text_model.")] for name in own})


def _scheduler(prediction: str, zero_snr: bool) -> PNDMScheduler | DDIMScheduler:
    noise = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
    if zero_snr:
        return DDIMScheduler(
            **noise,
            prediction_type=prediction,
            rescale_betas_zero_snr=True,
            timestep_spacing="trailing",
            clip_sample=False,
            set_alpha_to_one=False,
        )
    return PNDMScheduler(**noise, prediction_type=prediction, skip_prk_steps=True)


def use_published_forms(pipeline: Path) -> None:
    """Published checkpoints have what older versions of the libraries wrote for CLIP."""
    for tokenizer in pipeline.glob("tokenizer*"):
        _use_vocabulary_files(tokenizer)
    for file in pipeline.glob("text_encoder*/*.safetensors"):
        if "clip" not in json.loads(file.with_name("config.json").read_text(encoding="utf-8"))["model_type"]:
            continue
        stored = load_file(file)
        if not any(name.startswith("text_model.") for name in stored):
            save_file({f"text_model.{name}": weight for name, weight in stored.items()}, file, {"format": "pt"})


def _use_vocabulary_files(folder: Path) -> None:
    """Two files; newer versions write one in their place."""
    bpe = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
    if "merges" not in bpe:
        return
    (folder / "vocab.json").write_text(json.dumps(bpe["vocab"], ensure_ascii=False), encoding="utf-8")
    lines = ["#version: 0.2", *(" ".join(merge) for merge in bpe["merges"])]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "tokenizer.json").unlink()


def merged_pieces(pieces: list[str], merges: list[tuple[str, str]]) -> list[str]:
    """What byte-pair encoding makes of `pieces`: the earliest listed merge first, wherever it applies."""
    for left, right in merges:
        merged: list[str] = []
        for piece in pieces:
            if merged and (merged[-1], piece) == (left, right):
                merged[-1] += piece
            else:
                merged.append(piece)
        pieces = merged
    return pieces


def byte_letters() -> list[str]:
    """One printable letter for each byte, in the convention of byte-level vocabularies."""
    printable = [
        *range(ord("!"), ord("~") + 1),
        *range(ord("¡"), ord("¬") + 1),
        *range(ord("®"), ord("ÿ") + 1),
    ]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + index) for index in range(len(others))]
