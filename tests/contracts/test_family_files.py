"""Files of every family: what `imprint export` writes comes back whole, by the stock library and by `imprint adopt`."""

import shutil
from collections.abc import Callable, Mapping
from itertools import permutations
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
from drawing import ROUNDING, distance, disturb, draw, stock
from families import FAMILIES
from results import exported
from safetensors.torch import load_file, save_file
from small_runs import configure
from tiny_family import TinyFamily
from torch import Tensor, nn

from imprint.errors import UserError
from imprint.methods.adapter_layers import layers
from imprint.models.base import Model, is_text
from imprint.models.checkpoint.original_layout import autoencoder
from imprint.results.external_lora import Adapters, read_external
from imprint.results.load import trained_model
from imprint.results.lora_file import LORA_FORMATS
from imprint.runs import Run
from imprint.types import Sampler
from imprint.verbs.train import train

ADAPTERS = ["lora", "loha", "lokr"]  # DyLoRA's files are those of LoRA
FILES = [(choice, method, format) for choice in FAMILIES for method in ADAPTERS for format in LORA_FORMATS]
FORMATS = {choice: own.source(".").layout.network for choice, own in FAMILIES.items()}
NETWORKS = [choice for choice, format in FORMATS.items() if format]
WHOLE = [choice for choice, format in FORMATS.items() if format and format.parts]
# Of a family and another whose layers have the same names: here some have the same sizes, too.
UNETS = ["sd", "sdxl", "sd_upscaler"]
RELATED = {("chroma", "flux"), ("flux2", "flux2_klein"), ("flux2_klein", "flux2"), *permutations(UNETS, 2)}
PAIRS = [(one, other) for one in FAMILIES for other in FAMILIES if one != other and (one, other) not in RELATED]
PREFIXES = ["diffusion_model.", "base_model.model.", "model.diffusion_model.", ""]
FLAT = ["lora_unet_", "lora_transformer_", "lycoris_"]
FIRST_STAGE = "first_stage_model."
INSIDE = {"qwen3": "model."}  # what files have before the names of such a text encoder, and saved ones do not

Changes = Mapping[tuple[str, str], Tensor]  # (part, layer) -> what its weight changes by
Trained = Callable[[str, str], tuple[Run, Changes]]


def every_kind(own: TinyFamily) -> list[str]:
    """Settings by which all layers that can have adapters have them."""
    targets = own.source(".").model.adapter_targets
    kinds = sorted({kind for of_role in targets.values() for kind in of_role} - {"cross_attention", "keys_and_values"})
    roles = sorted(targets, key=is_text)
    return [f"method.roles=[{','.join(roles)}]", f"method.targets=[{','.join(kinds)}]"]


@pytest.fixture(scope="module")
def trained(tiny_folder: Callable[[str], Path], pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A run of a method, and what it learned."""
    folder, made = tmp_path_factory.mktemp("runs"), {}
    small = ["hparams.steps=1", "hparams.clip=null", "method.lr=3e-2", "method.rank=2", "method.alpha=3"]

    def make(choice: str, method: str) -> tuple[Run, Changes]:
        if (choice, method) not in made:
            settings = [f"method={method}", *every_kind(FAMILIES[choice]), *small]
            run = train(configure(tiny_folder(choice), pictures, folder, *settings))
            made[choice, method] = run, changes_of(trained_model(run, scale={}).model)
        return made[choice, method]

    return make


def changes_of(model: Model) -> Changes:
    return {
        (model.names.part(role), bare(name)): layer.get_delta_weight("default").detach()
        for role, part in model.roles.items()
        for name, layer in layers(part).items()
    }


def loaded_by_the_library(folder: Path, file: Path) -> Changes:
    pipeline = stock(folder)
    pipeline.load_lora_weights(file)
    return {
        (part, bare(name)): layer.get_delta_weight(next(iter(layer.scaling))).detach()
        for part, network in pipeline.components.items()
        if isinstance(network, nn.Module)
        for name, layer in layers(network).items()
    }


def bare(layer: str) -> str:
    """Without the prefix that releases of a library have or leave out."""
    return layer.removeprefix("text_model.")


def assert_alike(some: Changes, others: Changes) -> None:
    """But for layers that did not learn, as those behind the last one that matters."""
    some, others = ({place: change for place, change in own.items() if change.any()} for own in (some, others))
    assert some.keys() == others.keys()
    largest = max(float(change.abs().max()) for change in others.values())
    assert largest > 1e-3
    for place, change in others.items():
        assert torch.allclose(some[place].reshape(change.shape), change, atol=1e-5 * largest, rtol=1e-4), place


@pytest.mark.parametrize(("choice", "method", "format"), FILES)
def test_an_adapters_file_comes_back_whole(
    choice: str, method: str, format: str, trained: Trained, tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    own, folder = FAMILIES[choice], tiny_folder(choice)
    run, expected = trained(choice, method)
    file = tmp_path / "theirs.safetensors"
    if format == "kohya" and not own.source(".").layout.kohya:
        with pytest.raises(UserError, match="no names in kohya's scripts"):
            exported(run, file, f"format={format}")
        return
    exported(run, file, f"format={format}")
    outline = own.source(folder).meta_model()
    content = read_external(file, outline, partial=False)
    assert isinstance(content, Adapters)
    assert content.matched == content.keys == len(load_file(file))
    adopted = {
        (outline.names.part(role), bare(layer)): factors.up_OR @ factors.down_RI
        for role, updates in content.updates.items()
        for layer, factors in updates.items()
    }
    assert_alike(adopted, expected)
    kinds = {kind for kind in ("lora", "hada", "lokr") for key in load_file(file) if f".{kind}_" in key}
    if format not in own.unread and (kinds == {"lora"} or (kinds == {"lokr"} and own.reads_lokr)):
        assert_alike(loaded_by_the_library(folder, file), expected)


@pytest.mark.parametrize("choice", NETWORKS)
def test_a_denoisers_file_makes_the_same_pictures(
    choice: str, tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    own, folder = FAMILIES[choice], tiny_folder(choice)
    sampler = sampler_of(own)
    model, file = own.source(folder).load(), tmp_path / "denoiser.safetensors"
    denoiser: Any = model.roles["denoiser"]
    before = draw(model, sampler)
    disturb(denoiser)
    model.formats["single_file"].write(file, torch.float32)
    drawn = draw(model, sampler)
    assert distance(drawn, before) > 5 * ROUNDING
    assert distance(draw(own.source(file, config=str(folder)).load(), sampler), drawn) == 0
    if "single_file" not in own.unread:
        network = getattr(diffusers, type(denoiser).__name__).from_single_file(
            str(file), config=str(folder), subfolder=model.layout.denoiser.name, local_files_only=True
        )
        state: Mapping[str, Tensor] = network.state_dict()
        assert all(torch.equal(state[name], weight) for name, weight in denoiser.state_dict().items())


@pytest.mark.parametrize("choice", WHOLE)
def test_a_file_with_all_parts_needs_configurations_alone(
    choice: str, tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """As checkpoints for ComfyUI are."""
    own, folder = FAMILIES[choice], tiny_folder(choice)
    model, sampler = own.source(folder).load(), sampler_of(own)
    model.formats["single_file"].write(tmp_path / "denoiser.safetensors", torch.float32)
    tensors = with_prefix("model.diffusion_model.", load_file(tmp_path / "denoiser.safetensors"))
    for part, prefix in model.layout.network.parts.items():
        if part == "vae":
            weights = {name.removeprefix(FIRST_STAGE): x for name, x in autoencoder(model.parts[part]).items()}
        else:
            weights = {name: x for file in (folder / part).glob("*.safetensors") for name, x in load_file(file).items()}
            inside = next((more for name, more in INSIDE.items() if name in prefix), "")
            weights = with_prefix(inside, weights)
        tensors |= with_prefix(prefix, weights)
    save_file({name: weight.contiguous() for name, weight in tensors.items()}, tmp_path / "whole.safetensors")
    configs = shutil.copytree(folder, tmp_path / "configs", ignore=shutil.ignore_patterns("*.safetensors"))
    read = own.source(tmp_path / "whole.safetensors", config=str(configs)).load()
    assert distance(draw(read, sampler), draw(model, sampler)) == 0


def with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}{name}": weight for name, weight in tensors.items()}


def sampler_of(own: TinyFamily) -> Sampler:
    guided = next(iter(own.guided.values()))
    return Sampler("model", 2, guided.guidance, guided.negative_prompt)


@pytest.mark.parametrize(("choice", "other"), PAIRS)
def test_adapters_of_another_family_are_refused(
    choice: str, other: str, trained: Trained, tiny_folder: Callable[[str], Path]
) -> None:
    run, _ = trained(choice, "lora")
    outline = FAMILIES[other].source(tiny_folder(other)).meta_model()
    with pytest.raises(UserError, match=r"Give the model it was made for|made for another kind of model"):
        read_external(run.result / "pytorch_lora_weights.safetensors", outline, partial=False)


@pytest.mark.parametrize("prefix", [*PREFIXES, *FLAT])
@pytest.mark.parametrize("choice", NETWORKS)
def test_names_of_other_programs_are_known(
    choice: str, prefix: str, trained: Trained, tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """The library's names as peft, ComfyUI's and OneTrainer's users and LyCORIS write them."""
    run, expected = trained(choice, "lora")
    theirs: dict[str, Tensor] = {}
    for key, tensor in load_file(run.result / "pytorch_lora_weights.safetensors").items():
        part, _, name = key.partition(".")
        if part != "transformer":
            continue
        layer, _, matrix = name.partition(".lora_")
        if prefix in FLAT:
            own = {"A.weight": "lora_down.weight", "B.weight": "lora_up.weight"}[matrix]
            theirs[f"{prefix}{layer.replace('.', '_')}.{own}"] = tensor
        else:
            theirs[f"{prefix}{name}"] = tensor
    save_file(theirs, tmp_path / "theirs.safetensors")
    content = read_external(
        tmp_path / "theirs.safetensors", FAMILIES[choice].source(tiny_folder(choice)).meta_model(), partial=False
    )
    assert isinstance(content, Adapters)
    found = {("transformer", name): own.up_OR @ own.down_RI for name, own in content.updates["denoiser"].items()}
    assert_alike(found, {place: change for place, change in expected.items() if place[0] == "transformer"})
