"""The autoencoder of a pipeline by itself, of whichever family: what its pictures pass through."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import diffusers  # lazily: each class at its first use
import torch
from torch import Tensor, nn
from torch.nn import functional

from imprint.errors import ModelNotFound, Problem, UserError
from imprint.hashing import fingerprint
from imprint.libraries.process import quiet_model_libraries
from imprint.locations import local_path
from imprint.models.checkpoint.folder import PipelineFolder
from imprint.models.checkpoint.hub import fetch
from imprint.models.checkpoint.layout import AUTOENCODER, Layout, Part
from imprint.models.latents import CERTAIN, FRAMES, NORMALISED_PATCHES, SCALED, Latents
from imprint.models.residency import reclaim

FOLDER = "vae"  # in a pipeline
CONFIG = f"{FOLDER}/config.json"
LATENTS: Mapping[str, Latents] = {
    "AutoencoderKL": SCALED,
    "AutoencoderDC": CERTAIN,
    "AutoencoderKLQwenImage": FRAMES,
    "AutoencoderKLFlux2": NORMALISED_PATCHES,
}


class _Loaded(NamedTuple):
    network: nn.Module
    latents: Latents
    cell: int


@dataclass
class StoredAutoencoder:
    """That of the pipeline at `source`, a folder or a hub id, which the setting `key` names. Read when it is first
    needed."""

    source: str
    key: str
    _loaded: _Loaded | None = field(default=None, init=False, repr=False, compare=False)
    _found: PipelineFolder | None = field(default=None, init=False, repr=False, compare=False)

    def check(self) -> None:
        """Raises ModelNotFound or UserError."""
        with self._naming_the_key():
            self._folder().weight_files()

    @property
    def fingerprint(self) -> str:
        with self._naming_the_key():
            folder = self._folder()
            return fingerprint({CONFIG: folder.configs / CONFIG, **folder.weight_files()})

    def there_and_back(self, pixels_BCHW: Tensor) -> Tensor:
        """Pictures in [-1, 1], encoded and decoded. Sides that its cells do not divide are continued meanwhile."""
        network, latents, cell = self._load(pixels_BCHW.device)
        height, width = pixels_BCHW.shape[-2:]
        whole_BCHW = functional.pad(pixels_BCHW, (0, -width % cell, 0, -height % cell), mode="replicate")
        decoded_BCHW = latents.decode(network, latents.encode(network, whole_BCHW).mean_BCHW)
        return decoded_BCHW[..., :height, :width].float().clamp(-1, 1)

    @property
    def is_there(self) -> bool:
        """Whether it is in memory."""
        return self._loaded is not None

    def outline(self) -> nn.Module:
        """The network without weights, on the device "meta"."""
        with self._naming_the_key():
            folder = self._folder()
            return folder.outline(folder.layout.part(AUTOENCODER))

    def hold(self, network: nn.Module) -> None:
        """From now on until the release, `network` is what pictures pass through."""
        config = self._folder().config(CONFIG)
        latents = LATENTS[config["_class_name"]]
        self._loaded = _Loaded(network.requires_grad_(False).eval(), latents, latents.cell(config))

    def release(self) -> None:
        """Lets it go. It is read again when it is needed."""
        if self._loaded is not None:
            self._loaded = None
            reclaim()

    def _load(self, device: torch.device) -> _Loaded:
        if self._loaded is None:
            with self._naming_the_key():
                [network] = self._folder().load([FOLDER]).values()
                self.hold(network)
        assert self._loaded is not None
        if next(self._loaded.network.parameters()).device != device:
            self._loaded.network.to(device)
        return self._loaded

    def _folder(self) -> PipelineFolder:
        if self._found is None:
            path = local_path(self.source, suffixes=(".safetensors", ".ckpt")) or self._fetched()
            if not (path / CONFIG).is_file():
                remedy = f"{path / CONFIG} is not there. Give the folder or hub id of a pipeline in diffusers' layout."
                raise UserError(str(Problem(self.key, self.source, remedy)))
            self._found = self._at(path)
        return self._found

    def _fetched(self) -> Path:
        def weights(names: Any) -> list[str]:
            folder = PipelineFolder(_layout_of("AutoencoderKL"), self.source, Path(), variant=None, allow_pickle=False)
            return [name for files in folder.choose(names, folder.layout.parts).values() for name in files]

        return fetch(self.source, None, patterns=(CONFIG,), choose=weights, key=self.key, variant=None)

    def _at(self, path: Path) -> PipelineFolder:
        folder = PipelineFolder(_layout_of("AutoencoderKL"), self.source, path, variant=None, allow_pickle=False)
        kind = str(folder.config(CONFIG).get("_class_name"))
        if kind not in LATENTS:
            remedy = f"its autoencoder is a {kind}. Known are {', '.join(LATENTS)}."
            raise UserError(str(Problem(self.key, self.source, remedy)))
        return PipelineFolder(_layout_of(kind), self.source, path, variant=None, allow_pickle=False)

    @contextmanager
    def _naming_the_key(self) -> Iterator[None]:
        """A checkpoint's messages name the setting of the model that is trained."""
        try:
            with quiet_model_libraries():
                yield
        except ModelNotFound:
            raise
        except UserError as error:
            raise UserError(str(error).replace("model.source=", f"{self.key}=")) from error


def _layout_of(kind: str) -> Layout:
    """A table of nothing but an autoencoder of this class."""
    return Layout(
        title="an autoencoder",
        pipeline="",
        parts=(Part(FOLDER, AUTOENCODER, getattr(diffusers, kind)),),
        tokenizers={},
        absent=(),
        settings={},
        misfits=lambda configs: iter(()),
        kohya={},
        original_in_kohya=False,
        original=None,
        multiple=1,
    )
