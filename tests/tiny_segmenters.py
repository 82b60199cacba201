"""Tiny networks that find masks, with random weights, in the real formats."""

from pathlib import Path

import torch
from tiny import TOKENS, tiny_tokenizer
from transformers import (
    CLIPSegConfig,
    CLIPSegForImageSegmentation,
    SamConfig,
    SamMaskDecoderConfig,
    SamModel,
    SamPromptEncoderConfig,
    SamVisionConfig,
)

CLIPSEG_SIDE, SAM_SIDE = 32, 64  # pixels


def tiny_clipseg(folder: Path) -> Path:
    words = tiny_tokenizer()
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    text = {
        "vocab_size": len(words),
        "max_position_embeddings": TOKENS,
        "bos_token_id": words.bos_token_id,
        "eos_token_id": words.eos_token_id,
        "pad_token_id": words.pad_token_id,
        **small,
    }
    config = CLIPSegConfig(
        text_config=text,
        vision_config={"image_size": CLIPSEG_SIDE, "patch_size": 8, **small},
        projection_dim=8,
        extract_layers=[0, 1],
        conditional_layer=0,
        reduce_dim=8,
        decoder_num_attention_heads=2,
        decoder_intermediate_size=16,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = CLIPSegForImageSegmentation(config)
        for parameter in model.parameters():
            if parameter.ndim > 1:  # as they begin, the text would hardly count
                torch.nn.init.normal_(parameter, std=0.4)
    model.save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def tiny_sam(folder: Path) -> Path:
    config = SamConfig(
        vision_config=SamVisionConfig(
            hidden_size=16,
            output_channels=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=SAM_SIDE,
            patch_size=8,
            mlp_dim=32,
            window_size=2,
            global_attn_indexes=[1],
            num_pos_feats=8,
        ).to_dict(),
        prompt_encoder_config=SamPromptEncoderConfig(
            hidden_size=16, image_size=SAM_SIDE, patch_size=8, mask_input_channels=4
        ).to_dict(),
        mask_decoder_config=SamMaskDecoderConfig(
            hidden_size=16, mlp_dim=32, num_hidden_layers=2, num_attention_heads=2, iou_head_hidden_dim=16
        ).to_dict(),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = SamModel(config)
        for parameter in model.parameters():
            if parameter.ndim > 1:
                torch.nn.init.normal_(parameter, std=0.3)
    model.save_pretrained(folder)
    return folder
