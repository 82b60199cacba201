"""Where a model comes from: a hub id, a folder, or a single file."""

import copy
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, ClassVar, Literal, TypeVar

import torch
from pydantic import PositiveInt
from torch import nn

from imprint.errors import Problem, UserError
from imprint.hashing import fingerprint
from imprint.kinds import KIND
from imprint.locations import local_path
from imprint.models.base import ModelSource
from imprint.models.checkpoint.base import Checkpoint
from imprint.models.checkpoint.finding import Place, find_file
from imprint.models.checkpoint.layer_names import LayerNames
from imprint.models.checkpoint.layout import AUTOENCODER, SCHEDULER_CONFIG, Layout, Part
from imprint.models.facts import MetaModel, ModelInfo
from imprint.models.loading import WHOLE, Loading
from imprint.models.pipeline import PipelineModel, type_of
from imprint.models.process import Prediction
from imprint.models.quantisation.base import EXTRA, Quantisation, known_quantisations, quantisation
from imprint.models.quantisation.network import is_large, quantise
from imprint.models.residency import Residency
from imprint.models.roles import DENOISER
from imprint.models.schedulers import checked_process, stored_prediction
from imprint.types import Sampler

Self = TypeVar("Self", bound="PipelineSource")


@dataclass(kw_only=True, eq=False)
class PipelineSource(ModelSource):
    """`source` is a hub id, or the path of a folder in diffusers' layout or of a `.safetensors` or `.ckpt`
    file.

    `config` is for single files: a folder or hub id with what they do not hold, which is configurations and, where the
    file is that of a denoiser, the other parts; null finds the hub id of the model that the file descends from.
    `prediction` overrides that of the checkpoint's scheduler; a single file that does not state its own has that of its
    `config`. `revision` pins a hub id.

    `times` is at which times this model learns, where the objective names no others. `distilled` models draw in few
    steps, which training on them undoes, unless with a `training_adapter`: the path of a LoRA file, or a hub id with
    one, which is in effect in training alone.

    `quantise` is how the linear layers of the `quantise_parts` (roles) are kept in fewer bits, frozen; null are the
    denoiser and large text encoders.
    """

    model: ClassVar[type[PipelineModel]]
    parts_can_leave = True
    loading = WHOLE  # no setting: how `load` is to read

    # Whatever of these changes a result is in the fingerprint.
    not_in_identity = frozenset(
        {
            *(KIND, "source", "revision", "variant", "config", "prediction", "allow_pickle"),
            *("sampler", "encoders", "distilled", "training_adapter", "quantise", "quantise_parts"),
        }
    )
    former_defaults: ClassVar[Mapping[str, Any]] = {
        "times": {KIND: "times/uniform", "shift": None},
        "distilled": False,
        "training_adapter": None,
        "quantise": None,
        "quantise_parts": None,
    }

    source: str
    revision: str | None
    variant: str | None
    config: str | None
    prediction: Literal["auto", "epsilon", "v_prediction", "flow"]
    resolution: PositiveInt
    allow_pickle: bool
    sampler: Sampler
    encoders: Mapping[str, Any]
    times: Any
    distilled: bool
    training_adapter: str | None
    quantise: str | None
    quantise_parts: list[str] | None

    def __post_init__(self) -> None:
        if self.sampler.steps < 1:
            raise ValueError(f"sampler.steps={self.sampler.steps}: at least one step is needed.")

    def facts(self) -> ModelInfo:
        checkpoint, prediction, layout = self._checkpoint, self._prediction, self._checkpoint.layout
        with checkpoint.using(SCHEDULER_CONFIG):
            process = checked_process(checkpoint.scheduler, self.sampler.scheduler, prediction, patch=layout.patch)
        autoencoder = checkpoint.config(layout.part(AUTOENCODER).config)
        with checkpoint.using(layout.part(AUTOENCODER).config):
            multiple, pixel_bytes = layout.pixel_multiple(autoencoder), layout.pixel_bytes(autoencoder)
        if self.resolution % multiple:
            raise UserError(
                str(Problem("model.resolution", self.resolution, f"this model needs a multiple of {multiple}."))
            )
        content = [fingerprint(checkpoint.files()), prediction]
        content += [f"{name}={checkpoint.setting(name)}" for name in layout.settings]
        if self.quantise is not None:
            content.append(f"{self.quantise} of {', '.join(sorted(self.quantised))}")
        return ModelInfo(
            fingerprint=hashlib.sha256(" ".join(content).encode()).hexdigest(),
            roles=layout.roles,
            process=process,
            resolution=self.resolution,
            latent_shape=layout.latent_shape(autoencoder, self.resolution, self.resolution),
            pixel_multiple=multiple,
            pixel_bytes=pixel_bytes,
            tokenizers=checkpoint.tokenizers(shared=True),
            pipeline=layout.pipeline,
            lacking=tuple(name for name in layout.absent if name not in self.layout.absent),
            lower_case=layout.lower_case,
            word_parts={
                name: (layout.part(own.role).name, checkpoint.place(own)) for name, own in layout.tokenizers.items()
            },
            adapter_kinds={role: tuple(kinds) for role, kinds in self.model.adapter_targets.items()},
            upscaling=None,
        )

    def meta_model(self) -> MetaModel:
        layout = self._checkpoint.layout
        own_parts = {role: layout.part(role) for role in layout.roles}
        roles = {role: part.with_role(self._checkpoint.outline(part)) for role, part in own_parts.items()}
        widths = {
            name: roles[own.role].get_input_embeddings().embedding_dim  # type: ignore[operator]
            for name, own in layout.tokenizers.items()
        }
        names = LayerNames(layout=layout, denoiser_config=roles[layout.denoiser.role].config)  # type: ignore[arg-type]
        return MetaModel(roles, names, self.model.adapter_targets, widths)

    def forgets_its_few_steps(self) -> bool:
        return self.distilled and self.training_adapter is None

    def training_adapter_file(self) -> Path | None:
        if self.training_adapter is None:
            return None
        return find_file(self.training_adapter, key="model.training_adapter")

    def with_source(self: Self, source: str) -> Self:
        """A single file finds its configurations where this model has them, if that is on this machine. The other model
        is not quantised."""
        own, other = local_path(self.source), local_path(source)
        beside = str(own) if own and own.is_dir() else self.config
        config = beside if other and other.is_file() else None
        return replace(
            self,
            source=source,
            revision=None,
            variant=None,
            config=config,
            prediction="auto",
            training_adapter=None,
            quantise=None,
        )

    @property
    def quantised(self) -> Mapping[str, Quantisation]:
        return self._quantised

    def unquantised(self: Self) -> Self:
        return self if self.quantise is None else replace(self, quantise=None)

    def stored_part(self, role: str) -> nn.Module:
        """A network as its files have it: in their precision, and mapped from them where that can be."""
        name = self._checkpoint.layout.part(role).name
        return self._checkpoint.load([name], dtypes={name: self._checkpoint.stored_type(name)})[name]

    def load(self) -> PipelineModel:
        parts, loading = self._checkpoint.layout.parts, self.loading
        present = [part for part in parts if part.role not in loading.absent]
        model = self.model(
            checkpoint=self._checkpoint,
            parts={
                **{part.name: self._outline(part) for part in parts if part not in present},
                **self._read(present, exact=loading.exact),
            },
            prediction=self._prediction,
            sampler=self.sampler,
        )
        by_role = {part.role: model.parts[part.name] for part in parts}
        model.residency = Residency(by_role, absent=loading.absent, read=self._read_later)
        return model

    def load_as(self, loading: Loading) -> PipelineModel:
        source = copy.copy(self)  # of which `load` may be a family's own
        source.loading = loading
        return source.load()

    def load_without_weights(self) -> PipelineModel:
        """Their memory is reserved, and as long as nothing is computed with them, not used."""
        checkpoint = self._checkpoint
        return self.model(
            checkpoint=checkpoint,
            parts={part.name: checkpoint.outline(part).to_empty(device="cpu") for part in checkpoint.layout.parts},
            prediction=self._prediction,
            sampler=self.sampler,
        )

    @property
    def layout(self) -> Layout:
        """The family's; that of the checkpoint may lack parts of it."""
        return self.model.layout

    @property
    def _prediction(self) -> Prediction:
        possible = self.layout.predictions
        if self.prediction != "auto":
            if self.prediction not in possible:
                remedy = f"{self.layout.title} predicts {' or '.join(possible)} alone. Leave it at auto."
                raise UserError(str(Problem("model.prediction", self.prediction, remedy)))
            return self.prediction
        config = self._checkpoint.scheduler
        with self._checkpoint.using(SCHEDULER_CONFIG):
            stored = stored_prediction(config)
        if stored is None:
            known = "epsilon, v_prediction and flow_prediction"
            raise self._checkpoint.refusal(f"it predicts {config.get('prediction_type')!r}. Known are {known}.")
        if stored not in possible:
            remedy = (
                f"its scheduler, a {config.get('_class_name')}, is one of models that predict {stored}, and "
                f"{self.layout.title} predicts {' or '.join(possible)} alone. Get {SCHEDULER_CONFIG} again."
            )
            raise self._checkpoint.refusal(remedy)
        return stored

    def _read(self, parts: Sequence[Part], *, exact: Collection[str]) -> dict[str, nn.Module]:
        checkpoint, loading = self._checkpoint, self.loading
        types = {
            part.name: type_of(part.role, checkpoint.config(part.config), loading.dtype)
            if part.role not in exact
            else torch.float32
            for part in parts
        }
        quantised = {part.name: self._quantised[part.role] for part in parts if part.role in self._quantised}
        read = partial(checkpoint.load, dtypes=types, quantised=quantised)
        mapped = [part.name for part in parts if part.role in loading.mapped]
        home = [part.name for part in parts if part.role in loading.at_home - loading.mapped]
        return {
            **read(types.keys() - {*mapped, *home}, device=loading.device),
            **(read(home, device=torch.device("cpu")) if home else {}),
            **(read(mapped, device=None) if mapped else {}),
        }

    def _outline(self, part: Part) -> nn.Module:
        """Of a part that is read later."""
        network = self._checkpoint.outline(part)
        if part.role in self._quantised:
            quantise(network, self._quantised[part.role], None)
        return network

    @cached_property
    def _quantised(self) -> Mapping[str, Quantisation]:
        """Raises UserError where it is not known, not installed, or of parts that this model has not."""
        if self.quantise is None:
            return {}
        known = quantisation(self.quantise)
        if known is None:
            names = ", ".join(known_quantisations())
            raise UserError(str(Problem("model.quantise", self.quantise, f"choose null or one of {names}.")))
        if not known.is_installed():
            needed = f"{known.package} {'.'.join(map(str, known.release))} or later"
            remedy = f'it needs {needed}: pip install "imprint-diffusion[{EXTRA}]"'
            raise UserError(str(Problem("model.quantise", self.quantise, f"{remedy}.")))
        parts = self._large_parts if self.quantise_parts is None else self.quantise_parts
        if not parts or not set(parts) <= set(self._checkpoint.layout.roles):
            remedy = f"give null, or one or several of {', '.join(self._checkpoint.layout.roles)}."
            raise UserError(str(Problem("model.quantise_parts", self.quantise_parts, remedy)))
        return dict.fromkeys(parts, known)

    @property
    def _large_parts(self) -> list[str]:
        """The denoiser, and the text encoders beside which it is not all that takes memory."""
        checkpoint, layout = self._checkpoint, self._checkpoint.layout
        texts = [role for role in layout.roles if role != DENOISER]
        return [DENOISER, *(role for role in texts if is_large(checkpoint.outline(layout.part(role))))]

    def _read_later(self, role: str) -> nn.Module:
        """A part that was absent, or has left: what was there at first has been cast meanwhile."""
        part = self._checkpoint.layout.part(role)
        return self._read([part], exact=self.loading.exact & self.loading.absent)[part.name]

    @cached_property
    def _checkpoint(self) -> Checkpoint:
        place = Place(
            layout=self.layout,
            source=self.source,
            revision=self.revision,
            variant=self.variant,
            config=self.config,
            allow_pickle=self.allow_pickle,
        )
        checkpoint = place.find()
        checkpoint.check()
        return checkpoint
