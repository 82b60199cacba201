"""A model that the library has a pipeline for: networks by a table, an autoencoder, text encoders with vocabularies."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, cast

import torch
from PIL import Image
from torch import Tensor, nn

from imprint.device_transfer import to_device
from imprint.file_contents import refuse
from imprint.libraries.diffusers import compute_anew
from imprint.manifest import REMEDY
from imprint.models.base import Drawing, Format, Model
from imprint.models.checkpoint.base import Checkpoint
from imprint.models.checkpoint.folder import PipelineFolder
from imprint.models.checkpoint.layer_names import LayerNames
from imprint.models.checkpoint.layout import AUTOENCODER, Layout
from imprint.models.checkpoint.saving import PipelineWriter
from imprint.models.conditioning import Captions
from imprint.models.finite import not_finite
from imprint.models.loading import cast_frozen
from imprint.models.process import Prediction
from imprint.models.roles import DENOISER
from imprint.models.sampler import sample
from imprint.models.schedulers import build_scheduler, noise_process
from imprint.models.training_adapter import TrainingAdapter
from imprint.models.words import Vocabulary
from imprint.types import Beginning, Conditioning, LowRes, Moments, Sampler, Tiles


class PipelineModel(Model):
    """A family adds its layout, and the conditioning of its denoiser."""

    layout: Layout  # the family's; of a model, that of its checkpoint, which may lack parts

    def __init__(
        self, *, checkpoint: Checkpoint, parts: Mapping[str, nn.Module], prediction: Prediction, sampler: Sampler
    ) -> None:
        """`parts` are by the names of the layout; this module's children have the same names."""
        super().__init__()
        self.checkpoint = checkpoint
        self.layout = checkpoint.layout
        for part in self.layout.parts:
            setattr(self, part.name, parts[part.name])
        self.process = noise_process(checkpoint.scheduler, prediction, patch=self.layout.patch)
        # Not registered as a submodule: a compiled module may be put here without renaming any weight.
        own_parts = {role: self.layout.part(role) for role in self.layout.roles}
        self.roles = {role: part.with_role(parts[part.name]) for role, part in own_parts.items()}
        denoiser: Any = parts[self.layout.denoiser.name]
        self.names = LayerNames(layout=self.layout, denoiser_config=denoiser.config)
        self.sampler = sampler
        self._vocabularies = {
            name: Vocabulary(tokenizer, self.roles[self.layout.tokenizers[name].role])
            for name, tokenizer in checkpoint.tokenizers(shared=False).items()
        }
        self._captions = {
            table.role: Captions(
                self._vocabularies[name], wrapped=table.wrapped, padded=table.padded, special=table.special
            )
            for name, table in self.layout.tokenizers.items()
        }
        self.training_adapter: TrainingAdapter | None = None
        frozen(self)
        _switch_off_dropout(self)

    @property
    def parts(self) -> dict[str, nn.Module]:
        return {part.name: getattr(self, part.name) for part in self.layout.parts}

    @property
    def vocabularies(self) -> Mapping[str, Vocabulary]:
        return self._vocabularies

    @property
    def formats(self) -> Mapping[str, Format]:
        one_file = {"single_file": Format("model.safetensors", self._writer.write_file)}
        return {
            **(one_file if self.layout.original or self.layout.network else {}),
            "pipeline": Format("pipeline", self._writer.replace_folder),
        }

    @property
    def pixel_multiple(self) -> int:
        return self.layout.pixel_multiple(self._autoencoder.config)

    def latent_shape(self, height: int, width: int) -> tuple[int, int, int]:
        return self.layout.latent_shape(self._autoencoder.config, height, width)

    def encode(self, pixels_BCHW: Tensor) -> Moments:
        with self._without_overflow(pixels_BCHW.device):
            return self.layout.latents.encode(self._autoencoder, pixels_BCHW)

    def decode(self, latents_BCHW: Tensor) -> Tensor:
        with self._without_overflow(latents_BCHW.device):
            pixels_BCHW = self.layout.latents.decode(self._autoencoder, latents_BCHW)
        return pixels_BCHW.float().clamp(-1, 1)

    def denoise(self, noisy_BCHW: Tensor, t_B: Tensor, conditioning: Conditioning) -> Tensor:
        return self.denoise_with(self.roles[DENOISER], noisy_BCHW, t_B, conditioning)

    def frozen_denoiser(self) -> nn.Module:
        denoiser = self.parts[self.layout.denoiser.name]
        shared = {id(weight): weight for weight in (*denoiser.parameters(), *denoiser.buffers())}
        copied: Any = copy.deepcopy(denoiser, shared).eval()
        copied.disable_gradient_checkpointing()
        return cast(nn.Module, copied)

    def enable_gradient_checkpointing(self, *, every: int = 1) -> None:
        for role in self.layout.roles:
            part: Any = self.parts[self.layout.part(role).name]
            if role == DENOISER:
                compute_anew(part, every=every)  # whichever part trains, its gradients pass through this one
            elif any(parameter.requires_grad for parameter in part.parameters()):
                # transformers gave it another name in version 5
                renamed = getattr(part, "activation_checkpointing_enable", None)
                (renamed or part.gradient_checkpointing_enable)({"use_reentrant": False})

    def cast_frozen(self, dtype: torch.dtype) -> None:
        for part in self.layout.parts:
            live = self.parts[part.name]
            cast_frozen(live, type_of(part.role, live.config, dtype))

    def scheduler(self, name: str, **settings: object) -> Any:
        return build_scheduler(self.checkpoint.scheduler, name, self.process.prediction, **settings)

    def generate(
        self,
        prompts: Sequence[str],
        seeds: Sequence[int],
        *,
        sampler: Sampler,
        height: int,
        width: int,
        beginning: Beginning | None = None,
        tiles: Tiles | None = None,
        low_res: LowRes | None = None,
    ) -> list[Image.Image]:
        adapter = self.training_adapter
        left_out = adapter.left_out() if adapter else nullcontext()
        drawing = Drawing(prompts, seeds, sampler, height, width, low_res)
        with self.accompanied(drawing), self.residency.needed(), torch.no_grad(), _evaluating(self), left_out:
            return sample(
                self,
                prompts,
                seeds,
                sampler=sampler,
                height=height,
                width=width,
                beginning=beginning,
                tiles=tiles,
                low_res=low_res,
            )

    def train_with(self, adapter: TrainingAdapter) -> None:
        self.training_adapter = adapter
        adapter.put_around(self.parts[self.layout.denoiser.name])

    def save_pipeline(self, folder: Path) -> None:
        self._writer.write_folder(folder)

    def load_parts(self, folder: Path, roles: Sequence[str]) -> None:
        saved = PipelineFolder(self.layout, str(folder), folder, variant=None, allow_pickle=False)
        saved.check()
        names = {role: self.layout.part(role).name for role in roles}
        parts = saved.load(list(names.values()))
        for role, name in names.items():
            state = self.layout.part(role).with_role(parts[name]).state_dict()
            if spoilt := not_finite(state):
                refuse(folder / name, f"{spoilt} holds values that are no numbers, or infinite", REMEDY)
            try:
                self.roles[role].load_state_dict(state)
            except RuntimeError as error:
                refuse(folder / name, "its weights have other names or shapes than this model's", REMEDY, error)

    def tokens(self, role: str, texts: Sequence[str], *, bare: Sequence[bool] | None = None) -> tuple[Tensor, Tensor]:
        """(ids_BL, mask_BL) for a text encoder, on the CPU. `bare`: which of the texts are not wrapped as captions."""
        read = [text.lower().strip() for text in texts] if self.layout.lower_case else texts
        return self._captions[role].tokens(read, bare=bare)

    def encoded(self, role: str, texts: Sequence[str], **told: object) -> Any:
        """What a text encoder, which is `told` this besides, makes of texts: the library's output."""
        ids_BL, _ = self.tokens(role, texts)
        device = next(self.parts[self.layout.part(role).name].parameters()).device
        return self.roles[role](to_device(ids_BL, device), **told)

    def limit_tokens(self, role: str, count: int) -> None:
        """Lets a text encoder read at most as many tokens of a caption."""
        self._captions[role].limit(count)

    @property
    def _writer(self) -> PipelineWriter:
        return PipelineWriter(
            checkpoint=self.checkpoint, parts=self.parts, vocabularies=self.vocabularies, process=self.process
        )

    @property
    def _autoencoder(self) -> Any:
        return getattr(self, self.layout.part(AUTOENCODER).name)

    @contextmanager
    def _without_overflow(self, device: torch.device) -> Iterator[None]:
        """Without automatic half precision, if the autoencoder overflows in it."""
        half = torch.is_autocast_enabled(device.type) and torch.get_autocast_dtype(device.type) == torch.float16
        if half and overflows(self._autoencoder.config):
            with torch.autocast(device.type, enabled=False):
                yield
        else:
            yield


def type_of(role: str, config: Any, dtype: torch.dtype) -> torch.dtype:
    """Of a frozen part with this configuration, where all is computed in `dtype`."""
    return torch.float32 if role == AUTOENCODER and dtype == torch.float16 and overflows(config) else dtype


def overflows(config: Any) -> bool:
    """Whether an autoencoder's activations are too large for half precision, by its configuration."""
    return bool(config.get("force_upcast", False))


def dtype_of(module: nn.Module) -> torch.dtype:
    """That of the first weight that is not quantised."""
    return next(parameter.dtype for parameter in module.parameters() if parameter.is_floating_point())


def frozen(module: nn.Module) -> nn.Module:
    return module.requires_grad_(False).eval()


def _switch_off_dropout(module: nn.Module) -> None:
    """That of pre-training, which T5's configuration still has: a text encoder in which a word learns is in training
    mode, too, and no recipe drops anything there. Adapters have a dropout of their own."""
    for layer in module.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
        elif isinstance(vars(layer).get("dropout"), float):
            layer.dropout = 0.0  # type: ignore[assignment]


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True
