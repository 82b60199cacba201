"""What the models of FLUX.2 share (Black Forest Labs, 2025): a transformer over text and picture that is trained as a
flow, conditioned on several layers of one language model, and an autoencoder with normalised latents."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import Flux2Transformer2DModel
from pydantic import PositiveInt
from torch import Tensor, nn

from imprint.device_transfer import to_device
from imprint.errors import Problem, UserError
from imprint.models.checkpoint.layout import Configs
from imprint.models.facts import ModelInfo
from imprint.models.families.misfits import TRANSFORMER, wrong_channels
from imprint.models.families.told_guidance import ToldGuidance
from imprint.models.pipeline import PipelineModel, dtype_of
from imprint.models.process import Shift
from imprint.models.roles import DENOISER, TEXT
from imprint.models.source import PipelineSource
from imprint.types import Conditioning

PATCH = 2  # pixels of the autoencoder on a side of a latent's pixel, which is a token
AXES = 4  # of a token's position: unused, the picture's row and column, the text's place
TOLD_GUIDANCE = "time_guidance_embed.guidance_embedder."  # weights of a denoiser that is told its strength
LAYERS: Mapping[str, Sequence[str]] = {
    "attention": ("attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0"),
    "text_stream": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out"),
    "feed_forward": ("ff.linear_in", "ff.linear_out", "ff_context.linear_in", "ff_context.linear_out"),
    "single_stream": ("attn.to_qkv_mlp_proj", "attn.to_out"),  # of the blocks in which text and picture share weights
    "modulation": (  # one layer for all blocks of a kind
        "double_stream_modulation_img.linear",
        "double_stream_modulation_txt.linear",
        "single_stream_modulation.linear",
    ),
}


class Flux2Model(ToldGuidance):
    transformer: Flux2Transformer2DModel
    adapter_targets: Mapping[str, Mapping[str, Sequence[str]]] = {DENOISER: LAYERS}
    shared_inputs = frozenset({"img_ids", "txt_ids"})
    text_layers: Sequence[int] = ()  # of the language model, whose outputs are read; 0 is what goes into its first

    def encode_text(self, texts: Sequence[str], *, empty_is_unconditional: bool) -> Conditioning:
        ids_BL, mask_BL = self.tokens(TEXT, texts)
        device = next(self.parts[self.layout.part(TEXT).name].parameters()).device
        output = self.roles[TEXT](
            to_device(ids_BL, device),
            attention_mask=to_device(mask_BL, device),
            output_hidden_states=True,
            use_cache=False,
        )
        # padding among them, which the denoiser reads, too
        read_BLD = torch.cat([output.hidden_states[layer] for layer in self.text_layers], dim=-1)
        if read_BLD.requires_grad:
            # the layers after those condition nothing; their zero lets every trained weight have a gradient
            read_BLD = read_BLD + output.last_hidden_state[:, :1, :1] * 0
        return {"tokens": read_BLD}

    def noise_levels(self, steps: int) -> Sequence[float] | None:
        return torch.linspace(1, 1 / steps, steps, dtype=torch.float64).tolist()

    def drawing_shift(self, latent_shape: Sequence[int], steps: int) -> Shift | None:
        return Shift.of_strength(drawing_strength(latent_shape[-2] * latent_shape[-1], steps))

    def denoise_with(self, denoiser: nn.Module, noisy_BCHW: Tensor, t_B: Tensor, conditioning: Conditioning) -> Tensor:
        dtype, device = dtype_of(denoiser), noisy_BCHW.device
        height, width = noisy_BCHW.shape[2:]
        tokens_BLD = conditioning["tokens"].to(dtype)
        velocity_BND: Tensor = denoiser(
            noisy_BCHW.flatten(2).transpose(1, 2).to(dtype),
            encoder_hidden_states=tokens_BLD,
            timestep=t_B,
            img_ids=picture_places(height, width, device),
            txt_ids=text_places(tokens_BLD.shape[1], device),
            guidance=self.told(conditioning, noisy_BCHW),
            return_dict=False,
        )[0]
        velocity_BCHW: Tensor = velocity_BND.float().transpose(1, 2).unflatten(2, (height, width))
        return velocity_BCHW


@dataclass(kw_only=True, eq=False)
class Flux2TransformerSource(PipelineSource):
    """`text_layers` are those of the language model whose outputs the denoiser reads, side by side. `text_tokens` is
    how many tokens of a caption it reads, with all that is around the caption."""

    text_layers: list[PositiveInt]
    text_tokens: PositiveInt

    def facts(self) -> ModelInfo:
        facts = super().facts()
        if wrong := self._why_other_layers():
            raise UserError(str(Problem("model.text_layers", self.text_layers, wrong)))
        # the same files draw other pictures with other layers
        read = "-".join(map(str, [self.text_tokens, *self.text_layers]))
        return facts._replace(fingerprint=f"{facts.fingerprint}-{read}")

    def load(self) -> PipelineModel:
        return self._with_settings(super().load())

    def load_without_weights(self) -> PipelineModel:
        return self._with_settings(super().load_without_weights())

    def _with_settings(self, model: PipelineModel) -> PipelineModel:
        assert isinstance(model, Flux2Model)
        model.text_layers = self.text_layers
        model.limit_tokens(TEXT, self.text_tokens)
        return model

    def _why_other_layers(self) -> str | None:
        encoder = self.layout.part(TEXT).config
        text = language_model(self._checkpoint.config(encoder))
        expected = self._checkpoint.config(self.layout.denoiser.config).get("joint_attention_dim")
        with self._checkpoint.using(encoder):
            width, count = text["hidden_size"], text["num_hidden_layers"]
            if max(self.text_layers, default=0) > count:
                return f"its text encoder has {count} layers."
            if width * len(self.text_layers) != expected:
                return f"these layers have {width} features each, its denoiser expects {expected} in all."
        return None


def drawing_strength(tokens: int, steps: int) -> float:
    """How far noise levels are shifted (a factor's logarithm), as its makers fitted it to a picture's tokens and to
    steps: two lines, for 10 and for 200 steps, with others between and beyond them; large pictures go by the latter."""
    at_10, at_200 = 8.73809524e-05 * tokens + 1.89833333, 0.00016927 * tokens + 0.45666666
    if tokens > 4300:
        return at_200
    return at_200 + (at_200 - at_10) / 190 * (steps - 200)


def picture_places(rows: int, columns: int, device: torch.device) -> Tensor:
    """Each image token's position (N, 4), row by row."""
    places = torch.zeros(rows, columns, AXES, device=device)
    places[..., 1] = torch.arange(rows, device=device)[:, None]
    places[..., 2] = torch.arange(columns, device=device)
    return places.flatten(0, 1)


def text_places(length: int, device: torch.device) -> Tensor:
    """Each text token's position (L, 4)."""
    places = torch.zeros(length, AXES, device=device)
    places[:, 3] = torch.arange(length, device=device)
    return places


def language_model(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration of a text encoder's language model, which is a part of it where it sees pictures, too."""
    own: Mapping[str, Any] = config.get("text_config", config)
    return own


def misfits(configs: Configs) -> Iterator[str]:
    yield from wrong_channels(configs, patch=PATCH)
    expected = configs[TRANSFORMER].get("joint_attention_dim") or 0
    given = language_model(configs["text_encoder"]).get("hidden_size") or 0
    if not given or expected % given:
        yield (
            f"its denoiser expects {expected} text features, layers of text_encoder give {given} each. "
            "The parts are of different models."
        )
