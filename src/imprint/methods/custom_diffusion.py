"""Custom Diffusion (arXiv 2212.04488): a word learns, and the layers by which a text enters the denoiser."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import PositiveFloat
from torch import Tensor, nn

from imprint.errors import Problem, UserError
from imprint.kinds import of_kind
from imprint.methods.adapter_layers import add_metadata, write_weights
from imprint.methods.base import Method, from_base, strengths_without_use
from imprint.methods.settings import missing_layers, selected, under
from imprint.methods.stored_weights import read_weights
from imprint.methods.textual_inversion import TextualInversion
from imprint.methods.word_files import loading_lines
from imprint.models.base import Format, Model, strength_of
from imprint.models.facts import ModelInfo
from imprint.models.roles import DENOISER
from imprint.types import ALWAYS, Concept, ParamGroup

FILE = "pytorch_custom_diffusion_weights.safetensors"  # what the library calls it
PROCESSOR = ".processor"


@of_kind("method/custom_diffusion")
@dataclass(kw_only=True)
class CustomDiffusion(Method):
    """The keys and values of the denoiser's cross-attention, and a new word. The result is two small files.

    As in the authors' training, the first token, which is the same in every text, teaches keys and values nothing.
    """

    words: TextualInversion
    lr: PositiveFloat  # of the keys and values

    def choose_identifier(self, facts: ModelInfo, noun: str, taken: Collection[str]) -> str:
        return self.words.choose_identifier(facts, noun, taken)

    def problems(self, facts: ModelInfo, concepts: Sequence[Concept]) -> Iterator[Problem | str]:
        yield from under("words", self.words.problems(facts, concepts))
        yield from missing_layers("method", "custom_diffusion", ["keys_and_values"], [DENOISER], facts)

    def changed_roles(self, facts: ModelInfo) -> frozenset[str]:
        return self.words.changed_roles(facts) | {DENOISER}

    def exact_roles(self, facts: ModelInfo) -> frozenset[str]:
        return self.changed_roles(facts)

    def tuned_roles(self, facts: ModelInfo) -> frozenset[str]:
        return frozenset({DENOISER})

    def attach(self, model: Model, concepts: Sequence[Concept]) -> list[ParamGroup]:
        weights = _weights(model)
        for name, weight in weights.items():
            weight.requires_grad_(True)
            model.roles[DENOISER].get_submodule(name).register_forward_hook(_without_first_token)
        denoiser = ParamGroup(DENOISER, list(weights.values()), self.lr, ALWAYS)
        return [denoiser, *self.words.attach(model, concepts)]

    def loading(self, concepts: Sequence[Concept], facts: ModelInfo) -> str:
        return (
            f"{from_base(facts)}\n"
            "# Without _pipeline, diffusers 0.42 reads the file and changes nothing.\n"
            f'pipeline.unet.load_attn_procs(folder, weight_name="{FILE}", _pipeline=pipeline)\n'
            f"{loading_lines(concepts, facts)}"
        )

    def save(self, model: Model, folder: Path) -> None:
        stored = {}
        for name, weight in _weights(model).items():
            attention, _, own = name.rpartition(".")
            stored[f"{attention}{PROCESSOR}.{own}_custom_diffusion.weight"] = weight.detach().cpu().contiguous()
        tuned = {name.partition(PROCESSOR)[0] for name in stored}
        # An empty tensor stands for an attention that stays as it is: the library expects every one to be named.
        names: Any = model.roles[DENOISER].attn_processors
        others = {name: torch.zeros(0) for name in names if name.removesuffix(PROCESSOR) not in tuned}
        write_weights(folder / FILE, {**stored, **others}, {})
        self.words.save(model, folder)

    def write_origin(self, folder: Path, origin: Mapping[str, str]) -> None:
        add_metadata(folder / FILE, origin)
        self.words.write_origin(folder, origin)

    def scale_problems(self, scale: Mapping[str, float]) -> Iterator[Problem]:
        return strengths_without_use(scale, [DENOISER])

    @torch.no_grad()
    def load(self, model: Model, folder: Path, *, scale: Mapping[str, float]) -> None:
        stored, _ = read_weights(folder / FILE)
        for name, weight in _weights(model).items():
            attention, _, own = name.rpartition(".")
            tuned = stored.get(f"{attention}{PROCESSOR}.{own}_custom_diffusion.weight")
            if tuned is None or tuned.shape != weight.shape:
                raise UserError(f"{folder}: these keys and values were learned for other layers than this model's.")
            weight.lerp_(tuned.to(weight), strength_of(scale, DENOISER))
        self.words.load(model, folder, scale={})

    def formats(self, model: Model) -> Mapping[str, Format]:
        return self.words.formats(model)


def _weights(model: Model) -> dict[str, nn.Parameter]:
    """Those of the keys and values, by layer."""
    found = selected(model, DENOISER, "keys_and_values")
    return {name.removesuffix(".weight"): weight for name, weight in found.items()}


def _without_first_token(layer: nn.Module, inputs: Any, out_BLD: Tensor) -> Tensor:
    return torch.cat([out_BLD[:, :1].detach(), out_BLD[:, 1:]], dim=1)
