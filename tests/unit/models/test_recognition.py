"""Which family a file was made for, by published names of weights and adapters."""

import pytest

from imprint.models.checkpoint.recognition import others_of

UNETS = "Stable Diffusion 1.x and 2.x or Stable Diffusion XL"
FLUXES = "FLUX.1 or Chroma or FLUX.2"
NAMES = {
    "cond_stage_model.transformer.text_model.final_layer_norm.bias": "Stable Diffusion 1.x and 2.x",
    "lora_te_text_model_encoder_layers_0_mlp_fc1.alpha": "Stable Diffusion 1.x and 2.x",
    "conditioner.embedders.1.model.ln_final.weight": "Stable Diffusion XL",
    "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q.alpha": "Stable Diffusion XL",
    "model.diffusion_model.input_blocks.4.1.proj_in.weight": UNETS,
    "lora_unet_down_blocks_0_attentions_0_proj_in.alpha": UNETS,
    "unet.mid_block.attentions.0.proj_in.lora_A.weight": UNETS,
    "lora_te2_text_model_encoder_layers_0_mlp_fc1.alpha": "Stable Diffusion XL or Stable Diffusion 3",
    "transformer.transformer_blocks.0.attn2.to_q.lora_A.weight": "Stable Diffusion 3 or Sana",
    "transformer.transformer_blocks.0.attn1.to_q.lora_A.weight": "Sana",
    "transformer.transformer_blocks.0.norm1_context.linear.lora_A.weight": "FLUX.1 or Stable Diffusion 3",
    "lora_unet_joint_blocks_3_x_block_attn_qkv.lora_up.weight": "Stable Diffusion 3",
    "joint_blocks.0.context_block.attn.qkv.weight": "Stable Diffusion 3",
    "distilled_guidance_layer.norms.0.scale": "Chroma",
    "vector_in.in_layer.bias": "FLUX.1",
    "lora_unet_single_blocks_3_modulation_lin.alpha": "FLUX.1",
    "transformer.single_transformer_blocks.3.norm.linear.lora_A.weight": "FLUX.1",
    "lora_unet_double_blocks_0_img_attn_qkv.alpha": FLUXES,
    "transformer.single_transformer_blocks.3.attn.to_q.lora_A.weight": "FLUX.1 or Chroma",
    "transformer.single_transformer_blocks.3.attn.to_out.lora_A.weight": FLUXES,
    "diffusion_model.single_stream_modulation.lin.lora_A.weight": "FLUX.2",
    "transformer.single_transformer_blocks.0.attn.to_qkv_mlp_proj.lora_A.weight": "FLUX.2",
    "transformer_blocks.0.img_mlp.net.0.proj.weight": "Qwen-Image",
    "diffusion_model.layers.0.attention.to_q.lora_A.weight": "Z-Image",
    "model.diffusion_model.noise_refiner.0.attention.qkv.weight": "Z-Image",
    "diffusion_model.txtfusion.refiner_blocks.0.attn.wq.lora_A.weight": "Krea 2",
    "embedding": "",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_says_of_which_family_it_is(name: str) -> None:
    assert others_of([name], "another") == NAMES[name]


def test_names_together_say_more() -> None:
    both = ["double_blocks.0.img_attn.qkv.weight", "distilled_guidance_layer.norms.0.scale"]
    assert others_of(both, "Z-Image") == "Chroma"
    assert others_of(both, "FLUX.1") == "Chroma"
    assert not others_of(both, "Chroma")
    assert not others_of(both[:1], "FLUX.1")
    assert not others_of(both[:1], "FLUX.2 klein")
