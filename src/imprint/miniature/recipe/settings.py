"""The recipe's settings; their values live in recipe.yaml alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf

RECIPE = Path(__file__).with_name("recipe.yaml")


@dataclass
class Schedule:
    """How long and how fast a stage learns: Muon's rate for matrices, AdamW's for the rest."""

    steps: int
    batch: int
    matrix_lr: float
    other_lr: float
    warmup: int
    hold: float
    ema: float


@dataclass
class AutoencoderSettings(Schedule):
    channels: list[int]
    latent_channels: int
    crop: int
    whole_share: float
    l1_weight: float
    kl_weight: float


@dataclass
class CentredAutoencoderSettings(AutoencoderSettings):
    """Of one that looks closest at the middle of a picture, where the subject is, and at edges."""

    centre_weight: float
    edge_weight: float
    keep_weight: float
    new_spread: float


@dataclass
class TextSettings:
    hidden: int
    layers: int
    heads: int


@dataclass
class CaptionedSettings(Schedule):
    """Of a stage that learns from captions; a share of them is left empty, for guidance."""

    drop_caption: float


@dataclass
class DenoiserSettings(CaptionedSettings):
    channels: list[int]
    heads: int
    uniform_share: float
    snr_cap: float
    centre_weight: float


@dataclass
class FlowSettings(CaptionedSettings):
    uniform_share: float
    mean: float
    std: float


@dataclass
class UpscalerAutoencoderSettings(AutoencoderSettings):
    written_weight: float
    from_small: float


@dataclass
class UpscalerSettings(CaptionedSettings):
    pictures: int
    validation_pictures: int
    channels: list[int]
    heads: int
    crop: int
    colour_weight: float
    high_share: float
    clean_share: float


@dataclass
class ClipSettings(Schedule):
    hidden: int
    layers: int
    heads: int
    patch: int
    projection: int


@dataclass
class InstanceSettings(Schedule):
    individuals: int
    views: int
    hidden: int
    layers: int
    heads: int
    patch: int
    temperature: float


@dataclass
class OracleSettings(Schedule):
    channels: list[int]


@dataclass
class Settings:
    seed: int
    pictures: int
    validation_pictures: int
    checkpoint_every_s: float
    autoencoder: CentredAutoencoderSettings
    decoder: Schedule
    text: TextSettings
    denoiser: DenoiserSettings
    flow: FlowSettings
    upscaler_autoencoder: UpscalerAutoencoderSettings
    upscaler: UpscalerSettings
    clip: ClipSettings
    instance: InstanceSettings
    oracle: OracleSettings


def read(overrides: Sequence[str]) -> Settings:
    """recipe.yaml with `key.key=value` overrides; raises for an unknown key or a wrong type."""
    merged = OmegaConf.merge(
        OmegaConf.structured(Settings), OmegaConf.load(RECIPE), OmegaConf.from_dotlist(list(overrides))
    )
    settings = OmegaConf.to_object(merged)
    assert isinstance(settings, Settings)
    return settings
