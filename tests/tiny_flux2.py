"""Tiny FLUX.2 dev models with random weights, in the published form and topology: a Mistral that also sees, which
reads a fixed message before each caption; a denoiser that is told guidance."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import Flux2Pipeline
from diffusers.pipelines.flux2.system_messages import SYSTEM_MESSAGE
from tiny_family import Guided, TinyFamily
from tiny_flux2_parts import TEXT_LAYERS, WIDTH, flux2_velocity, tiny_flux2_parts
from tiny_parts import SETTINGS, tiny_qwen_tokenizer
from tokenizers import Tokenizer
from tokenizers.processors import TemplateProcessing
from torch import Tensor
from transformers import Mistral3Config, Mistral3ForConditionalGeneration, PreTrainedTokenizerFast

from imprint.models.families.flux2 import Flux2Source
from imprint.types import Sampler

TOKENS = 128  # of a caption in its chat
CONTROL = ["<pad>", "<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[IMG]"]
# As the published template, but for tools, answers and pictures.
CHAT = (
    "{{ bos_token }}{% for message in messages %}"
    "{% set mark = 'SYSTEM_PROMPT' if message['role'] == 'system' else 'INST' %}"
    "[{{ mark }}]{% for piece in message['content'] %}{{ piece['text'] }}{% endfor %}[/{{ mark }}]{% endfor %}"
)


def tiny_mistral_tokenizer() -> PreTrainedTokenizerFast:
    """Byte pairs as of Qwen's, with a beginning before each text; filled up on the left. The words of the fixed message
    are single tokens, too."""
    pairs: Tokenizer = tiny_qwen_tokenizer(more=SYSTEM_MESSAGE.split()).backend_tokenizer
    pairs.add_special_tokens(CONTROL)
    pairs.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", pairs.token_to_id("<s>"))])
    return PreTrainedTokenizerFast(
        tokenizer_object=pairs,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        padding_side="left",
        model_max_length=TOKENS,
        chat_template=CHAT,
    )


def tiny_flux2_pipeline(folder: Path, *, seed: int = 0) -> Path:
    """Writes a pipeline folder and returns it."""
    tokenizer = tiny_mistral_tokenizer()
    config = Mistral3Config(
        text_config={
            "model_type": "mistral",
            "vocab_size": len(tokenizer),
            "hidden_size": WIDTH,
            "intermediate_size": 2 * WIDTH,
            "num_hidden_layers": len(TEXT_LAYERS) + 1,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "rope_theta": 1e9,
            "max_position_embeddings": 1024,
        },
        vision_config={
            "model_type": "pixtral",
            "hidden_size": 16,
            "intermediate_size": 32,
            "num_hidden_layers": 1,
            "num_attention_heads": 2,
            "image_size": 28,
            "patch_size": 14,
        },
        image_token_index=tokenizer.convert_tokens_to_ids("[IMG]"),
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pipeline = Flux2Pipeline(
            **tiny_flux2_parts(guidance=True),
            text_encoder=Mistral3ForConditionalGeneration(config).eval(),
            tokenizer=tokenizer,
        )
    pipeline.save_pretrained(folder)
    return folder


def tiny_flux2_source(path: Path | str, **settings: Any) -> Flux2Source:
    """A tiny model as a `model` configuration names it."""
    own = {"sampler": Sampler("model", 4, 4.0, ""), "text_layers": list(TEXT_LAYERS), "text_tokens": TOKENS}
    return Flux2Source(source=str(path), **{**SETTINGS, **own, "training_guidance": 1.0, **settings})


DRAWING = {"max_sequence_length": TOKENS, "text_encoder_out_layers": TEXT_LAYERS}


def velocity(pipeline: Flux2Pipeline, noisy_BCHW: Tensor, s_B: Tensor, captions: Sequence[str]) -> Tensor:
    """Told a guidance of 1."""
    return flux2_velocity(pipeline, noisy_BCHW, s_B, captions, guidance=torch.ones(len(s_B)), **DRAWING)


FAMILY = TinyFamily(
    tiny_flux2_pipeline,
    tiny_flux2_source,
    unread={"kohya": "the library leaves modulation out, with a warning alone"},
    drawing=DRAWING,
    settings=[f"model.text_layers={list(TEXT_LAYERS)}"],
    refused={"custom_diffusion": "denoiser has none of these layers"},
    golden={  # times are logit-normal and shifted by resolution
        "dreambooth": ["method.roles=[denoiser,text]", "prior=generated", "prior.count=5"],
        "lora": ["method.targets=[attention,text_stream,feed_forward]", "prior=base_prediction"],
        "textual_inversion": ["dataset.identifier='<new>'", "method.vectors=2", "method.lr=1e-2"],
    },
    grid=[
        ["method=lora", "method.targets=[attention,text_stream,single_stream]"],
        ["method=pivotal", "dataset.identifier=auto", "method.network.rank=2", "seed=2"],
        ["method=lora", "method.targets=[feed_forward,modulation]", "method.rank=1", "dataset.caption_dropout=0.5"],
    ],
    guided={
        "told": Guided(4.0, "", {"guidance_scale": 4.0}),
        "told little": Guided(1.0, "a cat", {"guidance_scale": 1.0}),
    },
    velocity=velocity,
    misfits={
        ("transformer", "joint_attention_dim"): "expects 99 text features, layers of text_encoder give 16 each",
        ("transformer", "in_channels"): "takes 99 channels, a token has 16",
    },
)
