"""Where a Stable Diffusion model comes from: a hub id, a folder, or a single file."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import UNet2DConditionModel
from pydantic import PositiveInt
from transformers import CLIPTextConfig, CLIPTextModel

from imprint.errors import ModelNotFound, Problem, UserError
from imprint.families.base import Facts, ModelSource, Outline
from imprint.families.hub import fetch
from imprint.families.noise import noise_facts
from imprint.families.quiet import quiet
from imprint.families.sd import StableDiffusion, adapter_name
from imprint.families.sd_checkpoint import (
    PART_CONFIGS,
    PIPELINE_CONFIG,
    SCHEDULER_CONFIG,
    Checkpoint,
    pixel_multiple,
)
from imprint.families.sd_file import PICKLED, SAFE, SingleFile, read_tensors, usual_configs
from imprint.families.sd_folder import PipelineFolder
from imprint.hashing import fingerprint
from imprint.kinds import KIND, of_kind
from imprint.locations import local_path
from imprint.schedule import Prediction
from imprint.types import Sampler

log = logging.getLogger(__name__)

CONFIG_PATTERNS = (PIPELINE_CONFIG, *PART_CONFIGS, SCHEDULER_CONFIG, "tokenizer/*")
SHARD_INDICES = "*.index*.json"


@of_kind("model/sd")
class StableDiffusionSource(ModelSource):
    """`source` is a hub id, or the path of a folder in diffusers' layout or of a `.safetensors` or `.ckpt`
    file.

    `config` is for single files, which hold no configuration: a folder or hub id that does; null finds the
    hub id of the model that the file descends from. `prediction` overrides what the checkpoint's scheduler
    says; a single file cannot tell, so it has that of its `config`. `revision` pins a hub id.
    """

    # All but the resolution is in the fingerprint, or has no part in training.
    not_in_identity = frozenset(
        {
            *(KIND, "source", "revision", "variant", "config", "prediction", "allow_pickle"),
            *("sampler", "encoders"),
        }
    )

    def __init__(
        self,
        *,
        source: str,
        revision: str | None,
        variant: str | None,
        config: str | None,
        prediction: Literal["auto", "epsilon", "v_prediction"],
        resolution: PositiveInt,
        allow_pickle: bool,
        sampler: Sampler,
        encoders: Mapping[str, Any],
    ) -> None:
        if sampler.steps < 1:
            raise ValueError(f"sampler.steps={sampler.steps}: at least one step is needed.")
        self.source = source
        self.revision = revision
        self.variant = variant
        self.config = config
        self.prediction = prediction
        self.resolution = resolution
        self.allow_pickle = allow_pickle
        self.sampler = sampler
        self.encoders = encoders

    def facts(self) -> Facts:
        checkpoint, prediction = self._checkpoint, self._prediction
        noise = noise_facts(checkpoint.config(SCHEDULER_CONFIG), self.sampler.scheduler, prediction)
        multiple = pixel_multiple(checkpoint.config("vae/config.json"))
        if self.resolution % multiple:
            raise UserError(
                str(Problem("model.resolution", self.resolution, f"this model needs a multiple of {multiple}."))
            )
        content = fingerprint(checkpoint.files())
        return Facts(
            fingerprint=hashlib.sha256(f"{content} {prediction}".encode()).hexdigest(),
            roles=("denoiser", "text"),
            prediction=prediction,
            has_zero_terminal_snr=noise.has_zero_terminal_snr,
            timesteps=noise.timesteps,
            resolution=self.resolution,
            pixel_multiple=multiple,
            tokenizer=checkpoint.common_tokenizer(),
            adapter_kinds={role: tuple(kinds) for role, kinds in StableDiffusion.adapter_targets.items()},
        )

    def outline(self) -> Outline:
        unet, text = (self._checkpoint.config(f"{part}/config.json") for part in ("unet", "text_encoder"))
        with quiet(), torch.device("meta"):
            roles = {
                "denoiser": UNet2DConditionModel.from_config(unet),
                "text": CLIPTextModel(CLIPTextConfig.from_dict(text)),
            }
        return Outline(roles, adapter_name, StableDiffusion.adapter_targets, text["hidden_size"])

    def elsewhere(self, source: str) -> "StableDiffusionSource":
        """A single file finds its configurations where this model has them, if that is on this machine."""
        path = local_path(self.source)
        return StableDiffusionSource(
            source=source,
            revision=None,
            variant=None,
            config=str(path) if path and path.is_dir() else self.config,
            prediction="auto",
            resolution=self.resolution,
            allow_pickle=self.allow_pickle,
            sampler=self.sampler,
            encoders=self.encoders,
        )

    def load(self) -> StableDiffusion:
        return StableDiffusion(
            checkpoint=self._checkpoint,
            parts=self._checkpoint.load(),
            prediction=self._prediction,
            sampler=self.sampler,
        )

    @property
    def _prediction(self) -> Prediction:
        if self.prediction != "auto":
            return self.prediction
        stored = self._checkpoint.config(SCHEDULER_CONFIG).get("prediction_type", "epsilon")
        if stored not in ("epsilon", "v_prediction"):
            raise self._checkpoint.refusal(f"it predicts {stored!r}. Known are epsilon and v_prediction.")
        return "epsilon" if stored == "epsilon" else "v_prediction"

    @cached_property
    def _checkpoint(self) -> Checkpoint:
        checkpoint = self._find()
        checkpoint.check()
        return checkpoint

    def _find(self) -> Checkpoint:
        path = local_path(self.source, suffixes=(SAFE, *PICKLED))
        if path is None:
            return self._from_hub()
        self._warn_of_unused(single_file=path.is_file())
        if path.is_dir():
            return self._folder(path)
        if path.is_file():
            return self._single_file(path)
        raise ModelNotFound(
            str(Problem("model.source", self.source, f"there is no file or folder {path}. Give an existing one."))
        )

    def _folder(self, path: Path) -> PipelineFolder:
        return PipelineFolder(self.source, path, variant=self.variant, allow_pickle=self.allow_pickle)

    def _from_hub(self) -> PipelineFolder:
        def weights(names: Sequence[str]) -> list[str]:
            chosen = self._folder(Path(self.source)).choose(names)
            return [name for files in chosen.values() for name in files]

        patterns = (*CONFIG_PATTERNS, SHARD_INDICES)
        return self._folder(
            fetch(
                self.source,
                self.revision,
                patterns=patterns,
                choose=weights,
                key="model.source",
                variant=self.variant,
            )
        )

    def _single_file(self, path: Path) -> SingleFile:
        tensors = read_tensors(path, self.source, allow_pickle=self.allow_pickle)
        config = self.config or usual_configs(tensors)
        configs = local_path(config)
        if configs is None:
            configs = fetch(
                config,
                None,
                patterns=CONFIG_PATTERNS,
                choose=lambda names: [],
                key="model.config",
                variant=None,
            )
        return SingleFile(self.source, path, configs, tensors)

    def _warn_of_unused(self, *, single_file: bool) -> None:
        if self.revision is not None:
            log.warning("model.revision=%s has no effect: %s is on this machine.", self.revision, self.source)
        if single_file and self.variant is not None:
            log.warning("model.variant=%s has no effect: %s is a single file.", self.variant, self.source)
        if not single_file and self.config is not None:
            log.warning("model.config=%s has no effect: %s is a folder.", self.config, self.source)
