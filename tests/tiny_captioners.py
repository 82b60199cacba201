"""Tiny vision-language models with random weights, written in the real formats."""

from pathlib import Path

import torch
from transformers import (
    BertTokenizer,
    BlipConfig,
    BlipForConditionalGeneration,
    BlipProcessor,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PreTrainedTokenizerFast,
)
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

SIZE = 16  # pixels on a side
SMALL = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
VIEW = {"image_size": SIZE, "patch_size": 8}
WORDS = ["a", "red", "dog", "on", "the", "beach", "round", "blue"]
TEMPLATE = (
    "{% for said in messages %}{% for part in said.content %}{{ '<image>' if part.type == 'image' else part.text }}"
    "{% endfor %}{% endfor %} answer"
)


def tiny_blip(folder: Path, *, seed: int = 0) -> Path:
    folder.mkdir(parents=True)
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", *WORDS]
    words = BertTokenizer(
        vocab={word: number for number, word in enumerate(vocabulary)}, extra_special_tokens=["[DEC]"]
    )
    text = {
        **SMALL,
        "vocab_size": len(vocabulary),
        "encoder_hidden_size": SMALL["hidden_size"],
        "max_position_embeddings": 64,
        "bos_token_id": vocabulary.index("[DEC]"),
        "eos_token_id": vocabulary.index("[SEP]"),
        "sep_token_id": vocabulary.index("[SEP]"),
        "pad_token_id": vocabulary.index("[PAD]"),
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config={**SMALL, **VIEW}))
        _listen(model)
    model.save_pretrained(folder)
    BlipProcessor(BlipImageProcessorPil(size={"height": SIZE, "width": SIZE}), words).save_pretrained(folder)
    return folder


def tiny_llava(folder: Path, *, seed: int = 1, template: str | None = TEMPLATE) -> Path:
    from tokenizers import Tokenizer, models, pre_tokenizers

    folder.mkdir(parents=True)
    vocabulary = ["<pad>", "<s>", "</s>", "<unk>", *WORDS, "<image>"]
    inner = Tokenizer(models.WordLevel({word: number for number, word in enumerate(vocabulary)}, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Whitespace()
    words = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        extra_special_tokens={"image_token": "<image>"},
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlavaForConditionalGeneration(
            LlavaConfig(
                vision_config=CLIPVisionConfig(**SMALL, **VIEW),
                text_config=LlamaConfig(
                    **SMALL, vocab_size=len(vocabulary), bos_token_id=1, eos_token_id=2, pad_token_id=0
                ),
                image_token_index=vocabulary.index("<image>"),
                vision_feature_layer=-1,
            )
        )
        _listen(model)
    model.save_pretrained(folder)
    pictures = CLIPImageProcessorPil(size={"shortest_edge": SIZE}, crop_size={"height": SIZE, "width": SIZE})
    processor = LlavaProcessor(
        pictures,
        words,
        patch_size=8,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=template,
    )
    processor.save_pretrained(folder)
    return folder


def _listen(model: torch.nn.Module) -> None:
    """Random weights as large as trained ones, so that the words depend on the picture."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.5)
