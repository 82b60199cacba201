"""A result that was trained elsewhere."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from imprint.errors import Problem, UserError
from imprint.kinds import of_kind
from imprint.methods.adapter_layers import NAME, add_metadata, merged_formats, set_strength
from imprint.methods.base import Method, from_base, strengths_without_use
from imprint.methods.lora import DESCRIPTION, FILE
from imprint.methods.stored_weights import read_weights
from imprint.methods.word_files import embedding_formats, load_words, loading_lines
from imprint.models.base import Format, Model, strength_of
from imprint.models.facts import ModelInfo
from imprint.types import Concept, ParamGroup


@of_kind("method/adopted")
@dataclass(kw_only=True)
class Adopted(Method):
    """A LoRA on the parts `roles` and, with `word`, a learned word, by the stock library's names."""

    roles: list[str]
    word: bool

    origin: Mapping[str, str] = field(init=False, default_factory=dict)

    def problems(self, facts: ModelInfo, concepts: Sequence[Concept]) -> Iterator[Problem | str]:
        yield "method: what was trained elsewhere is not trained here. Use imprint adopt."

    def attach(self, model: Model, concepts: Sequence[Concept]) -> list[ParamGroup]:
        raise AssertionError("it has problems with every model")

    def loading(self, concepts: Sequence[Concept], facts: ModelInfo) -> str:
        lines = [from_base(facts)]
        if self.roles:
            lines.append("pipeline.load_lora_weights(folder)")
        if self.word:
            lines.append(loading_lines(concepts, facts))
        return "\n".join(lines)

    def save(self, model: Model, folder: Path) -> None:
        raise AssertionError("it was saved when it was adopted")

    def write_origin(self, folder: Path, origin: Mapping[str, str]) -> None:
        for file in folder.glob("*.safetensors"):
            add_metadata(file, origin)

    def scale_problems(self, scale: Mapping[str, float]) -> Iterator[Problem]:
        return strengths_without_use(scale, self.roles)

    def load(self, model: Model, folder: Path, *, scale: Mapping[str, float]) -> None:
        if self.roles:
            self.origin = load_lora(model, folder / FILE, scale=scale)
        if self.word:
            self.origin = {**load_words(model, folder), **self.origin}

    def formats(self, model: Model) -> Mapping[str, Format]:
        return {**merged_formats(model, self.roles), **embedding_formats(model, self.origin)}


def load_lora(model: Model, file: Path, *, scale: Mapping[str, float]) -> dict[str, str]:
    """Puts a LoRA whose alphas are its ranks into an untuned model; returned is what it was made from."""
    from peft import LoraConfig, inject_adapter_in_model, set_peft_model_state_dict

    stored, about = read_weights(file)
    found = {role: _layers(stored, model, role) for role in model.roles}
    known = 2 * sum(map(len, found.values()))
    if known < len(stored):
        matched = f"only {known}" if known else "none"
        raise UserError(f"{file}: {matched} of its {len(stored)} weights belong to layers of this model.")
    for role, part in model.roles.items():
        layers = found[role]
        if not layers:
            continue
        _check(part, layers, role, file)
        config = peft_settings({name: len(tensors["lora_A"]) for name, tensors in layers.items()})
        inject_adapter_in_model(LoraConfig(**config), part, NAME)
        part.requires_grad_(False)
        tensors = {f"{name}.{kind}.weight": x for name, own in layers.items() for kind, x in own.items()}
        set_peft_model_state_dict(part, tensors, adapter_name=NAME)
        set_strength(part, strength_of(scale, role))
    return {key: value for key, value in about.items() if key not in (DESCRIPTION, "format")}


def _layers(stored: Mapping[str, Tensor], model: Model, role: str) -> dict[str, dict[str, Tensor]]:
    found: dict[str, dict[str, Tensor]] = {}
    for name, module in model.roles[role].named_modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            for kind in ("lora_A", "lora_B"):
                key = model.names.stock(role, f"{name}.{kind}.weight")
                if key in stored:
                    found.setdefault(name, {})[kind] = stored[key].float()
    return found


def _check(part: nn.Module, layers: Mapping[str, Mapping[str, Tensor]], role: str, file: Path) -> None:
    wrong = []
    for name, own in layers.items():
        weight: Any = part.get_submodule(name).weight
        down, up = (tuple(own[kind].shape) if kind in own else () for kind in ("lora_A", "lora_B"))
        here = tuple(weight.shape)
        if len(down) != len(here) or len(up) != len(here) or (up[0], *down[1:]) != here or down[0] != up[1]:
            wrong.append(f"{name} ({_times(up)} and {_times(down)}, here {_times(here)})")
    if wrong:
        raise UserError(
            f"{file}: {len(wrong)} of {len(layers)} adapters were made for other layers than those of this model's "
            f"{role}: {', '.join(wrong[:3])}."
        )


def _times(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "nothing"


def usual_rank(ranks: Iterable[int]) -> int:
    [(usual, _)] = Counter(ranks).most_common(1)
    return usual


def peft_settings(ranks: Mapping[str, int]) -> dict[str, Any]:
    """What peft must know of layers with these ranks."""
    usual = usual_rank(ranks.values())
    others = {name: rank for name, rank in sorted(ranks.items()) if rank != usual}
    patterns = {"rank_pattern": others, "alpha_pattern": others} if others else {}
    return {"r": usual, "lora_alpha": usual, "target_modules": sorted(ranks), **patterns}
