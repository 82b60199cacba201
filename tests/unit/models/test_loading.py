"""A model that is read in the precision of a run is what casting one of float32 makes."""

import functools
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

import pytest
import torch
from families import FAMILIES, load_tiny
from safetensors.torch import load_file, save_file
from tiny import tiny_file, tiny_source
from torch import nn

from imprint.models.checkpoint.layout import AUTOENCODER
from imprint.models.loading import Loading
from imprint.models.pipeline import PipelineModel
from imprint.models.roles import DENOISER, TEXT

HALF = (torch.bfloat16, torch.float16)
CPU = torch.device("cpu")


def loading(dtype: torch.dtype, *, exact: Collection[str] = (), absent: Collection[str] = ()) -> Loading:
    return Loading(dtype=dtype, exact=frozenset(exact), absent=frozenset(absent), device=CPU)


def content(module: nn.Module) -> dict[str, torch.Tensor]:
    own = {
        f"{prefix}.{name}": value
        for prefix, each in module.named_modules()
        for name, value in vars(each).items()
        if isinstance(value, torch.Tensor)
    }
    return {**dict(module.named_parameters(remove_duplicate=False)), **dict(module.named_buffers()), **own}


def same(one: nn.Module, other: nn.Module) -> None:
    ours, theirs = content(one), content(other)
    assert ours.keys() == theirs.keys()
    for name, weight in ours.items():
        assert weight.dtype == theirs[name].dtype, name
        assert torch.equal(weight, theirs[name]), name


def stored_as(folder: Path, dtype: torch.dtype, target: Path) -> Path:
    """A copy of a pipeline whose files hold this type."""
    shutil.copytree(folder, target)
    for file in target.glob("*/*.safetensors"):
        tensors = load_file(file)
        cast = {name: part.to(dtype) if part.is_floating_point() else part for name, part in tensors.items()}
        save_file(cast, file, metadata={"format": "pt"})
    return target


def as_the_library_reads(folder: Path) -> PipelineModel:
    """All in float32, by the library alone."""
    model = load_tiny(folder)
    for name, part in model.parts.items():
        reference = type(part).from_pretrained(folder / name, dtype=torch.float32)  # type: ignore[operator]
        for own, read in zip(part.modules(), reference.modules(), strict=True):
            for key, weight in read.named_parameters(recurse=False, remove_duplicate=False):
                setattr(own, key, weight.requires_grad_(False))
            for key, buffer in read.named_buffers(recurse=False):
                setattr(own, key, buffer)
            for key, value in vars(read).items():
                if isinstance(value, torch.Tensor):
                    setattr(own, key, value)
    return model


@pytest.mark.parametrize("choice", FAMILIES)
@pytest.mark.parametrize("stored", [torch.float32, *HALF])
@pytest.mark.parametrize("dtype", [torch.float32, *HALF])
def test_what_is_read_in_a_type_is_what_a_cast_makes(
    choice: str, stored: torch.dtype, dtype: torch.dtype, tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = stored_as(tiny_folder(choice), stored, tmp_path / "model")
    expected = as_the_library_reads(folder)
    if dtype != torch.float32:
        expected.cast_frozen(dtype)
    same(FAMILIES[choice].source(folder).load_as(loading(dtype)), expected)


@pytest.mark.parametrize("choice", FAMILIES)
def test_in_float32_it_is_what_it_always_was(choice: str, tiny_folder: Callable[[str], Path]) -> None:
    folder = tiny_folder(choice)
    same(FAMILIES[choice].source(folder).load_as(loading(torch.float32)), load_tiny(folder))


def test_so_it_is_of_a_single_file(tiny_sd: Path, tmp_path: Path) -> None:
    file = tiny_file(tmp_path / "model.safetensors", tiny_sd)
    source = tiny_source(file, config=str(tiny_sd))
    expected = source.load()
    expected.cast_frozen(torch.bfloat16)
    same(source.load_as(loading(torch.bfloat16)), expected)


def test_parts_that_have_to_be_exact_are(tiny_flux: Path) -> None:
    model = FAMILIES["flux"].source(tiny_flux).load_as(loading(torch.bfloat16, exact=[TEXT]))
    whole = load_tiny(tiny_flux)
    same(model.roles[TEXT], whole.roles[TEXT])
    assert {weight.dtype for weight in model.roles[DENOISER].parameters()} == {torch.bfloat16}


def test_stored_buffers_keep_their_precision(tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a table of positions, which only some networks store."""
    unet = FAMILIES["sd"].source(tiny_sd).layout.denoiser.type
    built = unet.__init__

    @functools.wraps(built)  # whose signature the library reads
    def with_table(self: nn.Module, *args: object, **kwargs: object) -> None:
        built(self, *args, **kwargs)
        self.register_buffer("table", torch.full((3,), 1 / 3))

    shutil.copytree(tiny_sd, tmp_path / "model")
    [file] = (tmp_path / "model" / "unet").glob("*.safetensors")
    save_file({**load_file(file), "table": torch.tensor([0.1, 0.2, 0.3])}, file, metadata={"format": "pt"})
    monkeypatch.setattr(unet, "__init__", with_table)
    model = tiny_source(tmp_path / "model").load_as(loading(torch.bfloat16))
    assert torch.equal(dict(model.named_buffers())["unet.table"], torch.tensor([0.1, 0.2, 0.3]))
    assert {weight.dtype for weight in model.roles[DENOISER].parameters()} == {torch.bfloat16}


class TestResidency:
    @pytest.fixture
    def model(self, tiny_flux: Path) -> PipelineModel:
        return FAMILIES["flux"].source(tiny_flux).load_as(loading(torch.bfloat16, absent=[AUTOENCODER]))

    def test_an_absent_part_has_names_and_shapes_and_no_weights(self, model: PipelineModel, tiny_flux: Path) -> None:
        whole = load_tiny(tiny_flux)
        assert {name: weight.shape for name, weight in model.named_parameters()} == {
            name: weight.shape for name, weight in whole.named_parameters()
        }
        assert all(weight.is_meta for weight in model.parts["vae"].parameters())
        model.to(CPU)
        model.cast_frozen(torch.bfloat16)
        assert all(weight.is_meta for weight in model.parts["vae"].parameters())

    def test_it_comes_where_it_is_needed_as_it_was_and_leaves(self, model: PipelineModel, tiny_flux: Path) -> None:
        whole = load_tiny(tiny_flux)
        whole.cast_frozen(torch.bfloat16)
        model.residency.release({TEXT, "text_2"})
        assert {role for role, part in model.roles.items() if next(part.parameters()).is_meta} == {TEXT, "text_2"}
        with model.residency.needed():
            same(model, whole)
            with model.residency.needed({TEXT}):
                pass
            same(model, whole)
        assert next(model.roles["text_2"].parameters()).is_meta
        with model.residency.needed({TEXT}):
            same(model.roles[TEXT], whole.roles[TEXT])
            assert next(model.roles["text_2"].parameters()).is_meta
        model.residency.keep({TEXT, "text_2", AUTOENCODER})
        same(model, whole)

    def test_it_leaves_when_what_needed_it_fails(self, model: PipelineModel) -> None:
        with pytest.raises(ValueError, match="here"), model.residency.needed():
            raise ValueError("here")
        assert all(weight.is_meta for weight in model.parts["vae"].parameters())

    def test_what_learns_cannot_leave(self, model: PipelineModel) -> None:
        model.roles[TEXT].requires_grad_(True)
        with pytest.raises(AssertionError, match="learns"):
            model.residency.release({TEXT})


def test_parts_that_are_mapped_do_not_go_to_the_device(tiny_folder: Callable[[str], Path]) -> None:
    elsewhere = Loading(
        dtype=torch.float32,
        exact=frozenset(),
        absent=frozenset(),
        device=torch.device("meta"),
        mapped=frozenset({DENOISER}),
    )
    model = tiny_source(tiny_folder("sd")).load_as(elsewhere)
    places = {name: next(part.parameters()).device.type for name, part in model.parts.items()}
    assert places == {"unet": "cpu", "vae": "meta", "text_encoder": "meta"}
