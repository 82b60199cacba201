"""What is written is what other programs open, and makes the same pictures there."""

import gc
import json
import weakref
from collections.abc import Collection
from pathlib import Path

import pytest
import torch
from drawing import ROUNDING, distance, disturb, draw, draw_stock, stock
from families import load_tiny
from safetensors.torch import load_file
from tiny import tiny_pipeline, tiny_source

from imprint.errors import UserError
from imprint.models.checkpoint.base import Checkpoint
from imprint.training.encoding import encode_captions


@pytest.mark.parametrize("model", ["tiny_sd", "tiny_sd_v"])
def test_a_saved_pipeline_makes_the_same_pictures(model: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    model = tiny_source(request.getfixturevalue(model)).load()
    untuned = draw(model)
    disturb(model.unet)
    disturb(model.text_encoder)
    model.save_pipeline(tmp_path / "saved")
    assert distance(draw(model), draw_stock(stock(tmp_path / "saved"))) <= ROUNDING
    assert distance(draw(model), draw(tiny_source(tmp_path / "saved").load())) <= ROUNDING
    assert distance(draw(model), untuned) > ROUNDING


def test_everything_is_saved_in_float32_and_untouched_parts_as_exact_as_the_source(tmp_path: Path) -> None:
    source = tiny_pipeline(tmp_path / "source", dtype=torch.float16)
    model = tiny_source(source).load()
    disturb(model.unet)
    model.vae.to(torch.bfloat16)  # as frozen parts are while training
    model.save_pipeline(tmp_path / "saved")
    for part in ("vae/diffusion_pytorch_model", "text_encoder/model"):
        before, after = (load_file(folder / f"{part}.safetensors") for folder in (source, tmp_path / "saved"))
        assert before.keys() == after.keys()
        assert all(torch.equal(before[name].float(), after[name]) for name in before)
    unet = load_file(tmp_path / "saved" / "unet" / "diffusion_pytorch_model.safetensors")
    assert all(torch.equal(weight, unet[name]) for name, weight in model.unet.state_dict().items())


def test_a_tuned_half_precision_model_makes_the_same_pictures(tmp_path: Path) -> None:
    source = tiny_pipeline(tmp_path / "source", dtype=torch.float16, variant="fp16")
    model = tiny_source(source, variant="fp16").load()
    disturb(model.unet)
    model.save_pipeline(tmp_path / "saved")
    assert distance(draw(model), draw_stock(stock(tmp_path / "saved"))) <= ROUNDING


def test_saving_leaves_the_family_as_it_is(tiny_sd: Path, tmp_path: Path) -> None:
    model = tiny_source(tiny_sd).load()
    disturb(model.unet)
    model.unet.requires_grad_(True)
    before = draw(model)
    model.save_pipeline(tmp_path / "saved")
    assert distance(draw(model), before) == 0
    assert all(parameter.requires_grad for parameter in model.unet.parameters())


def test_a_file_can_be_the_source_of_a_pipeline(tiny_sd: Path, tmp_path: Path) -> None:
    tiny_source(tiny_sd).load().formats["single_file"].write(tmp_path / "one.safetensors", torch.float32)
    model = tiny_source(tmp_path / "one.safetensors", config=str(tiny_sd)).load()
    disturb(model.unet)
    model.save_pipeline(tmp_path / "saved")
    assert distance(draw(model), draw_stock(stock(tmp_path / "saved"))) <= ROUNDING


def test_an_overridden_prediction_is_saved(tiny_sd: Path, tmp_path: Path) -> None:
    model = tiny_source(tiny_sd, prediction="v_prediction").load()
    model.save_pipeline(tmp_path / "saved")
    assert tiny_source(tmp_path / "saved").facts().prediction == "v_prediction"
    assert distance(draw(model), draw_stock(stock(tmp_path / "saved"))) <= ROUNDING


def test_frozen_weights_of_a_trained_part_lose_nothing(tiny_sd: Path, tmp_path: Path) -> None:
    model = tiny_source(tiny_sd).load()
    exact = model.unet.conv_out.weight.clone()
    model.unet.to(torch.bfloat16)  # as frozen weights are while training
    trained = model.unet.conv_in.float()
    disturb(trained)
    model.save_pipeline(tmp_path / "saved")
    saved = tiny_source(tmp_path / "saved").load().unet
    assert torch.equal(saved.conv_out.weight, exact)
    assert torch.equal(saved.conv_in.weight, trained.weight)


def test_networks_are_written_one_after_the_other(
    tiny_sd: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What training has cast is read again, and a whole model of float32 beside the trained one is too much."""
    model = tiny_source(tiny_sd).load()
    for part in model.parts.values():
        part.to(torch.bfloat16)
    alive: list[weakref.ref[torch.nn.Module]] = []
    load = Checkpoint.load

    def watched(self: Checkpoint, names: Collection[str] | None = None) -> dict[str, torch.nn.Module]:
        gc.collect()
        assert not [part for part in alive if part() is not None]
        parts = load(self, names)
        alive.extend(weakref.ref(part) for part in parts.values())
        assert len(parts) == 1
        return parts

    monkeypatch.setattr(Checkpoint, "load", watched)
    model.save_pipeline(tmp_path / "saved")
    assert len(alive) == len(model.parts)


def test_loading_and_saving_print_nothing(tiny_sd: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    write_file = tiny_source(tiny_sd).load().formats["single_file"].write
    write_file(tmp_path / "one.safetensors", torch.float32)
    tiny_source(tmp_path / "one.safetensors", config=str(tiny_sd)).load().save_pipeline(tmp_path / "saved")
    assert capfd.readouterr() == ("", "")


def test_new_words_are_saved(tiny_sd: Path, tmp_path: Path) -> None:
    model = tiny_source(tiny_sd).load()
    model.vocabularies["clip_l"].tokenizer.add_tokens(["<toy>"])
    model.text_encoder.resize_token_embeddings(len(model.vocabularies["clip_l"].tokenizer))
    model.save_pipeline(tmp_path / "saved")
    saved = tiny_source(tmp_path / "saved").load()
    torch.testing.assert_close(
        encode_captions(saved, ["a <toy>"])["tokens"], encode_captions(model, ["a <toy>"])["tokens"]
    )


def test_the_vocabulary_keeps_its_files(tiny_sd: Path, tmp_path: Path) -> None:
    tiny_source(tiny_sd).load().save_pipeline(tmp_path / "saved")
    names = {path.name for path in (tmp_path / "saved" / "tokenizer").iterdir()}
    assert names == {path.name for path in (tiny_sd / "tokenizer").iterdir()}


@pytest.mark.parametrize("model", ["tiny_sd", "tiny_sd_v", "tiny_sdxl"])
def test_text_encoders_are_saved_as_older_programs_read_them(
    model: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    load_tiny(request.getfixturevalue(model)).save_pipeline(tmp_path)
    folders = sorted(tmp_path.glob("text_encoder*"))
    assert len(folders) == (2 if model == "tiny_sdxl" else 1)
    for folder in folders:
        names = load_file(folder / "model.safetensors").keys()
        assert {name.partition(".")[0] for name in names} <= {"text_model", "text_projection"}
        assert "text_model.embeddings.token_embedding.weight" in names
        assert json.loads((folder / "config.json").read_text())["dtype"] == "float32"


def test_no_path_of_this_machine_is_saved(tiny_sd: Path, tmp_path: Path) -> None:
    tiny_source(tiny_sd).load().save_pipeline(tmp_path / "saved")
    texts = [path.read_text() for path in (tmp_path / "saved").rglob("*.json")]
    assert not any(str(tiny_sd) in text or str(tmp_path) in text for text in texts)


@pytest.mark.parametrize(("roles", "others"), [(["denoiser"], ["text"]), (["denoiser", "text"], [])])
def test_parts_of_a_saved_pipeline_replace_ones(
    roles: list[str], others: list[str], tiny_sd: Path, tmp_path: Path
) -> None:
    trained, fresh = tiny_source(tiny_sd).load(), tiny_source(tiny_sd).load()
    for role in ("denoiser", "text"):
        disturb(trained.roles[role])
    trained.save_pipeline(tmp_path / "saved")
    fresh.load_parts(tmp_path / "saved", roles)
    for role in [*roles, *others]:
        pairs = zip(trained.roles[role].parameters(), fresh.roles[role].parameters(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs) == (role in roles)


def test_a_loaded_result_is_exported_too(tiny_sd: Path, tmp_path: Path) -> None:
    trained, fresh = tiny_source(tiny_sd).load(), tiny_source(tiny_sd).load()
    disturb(trained.unet)
    trained.save_pipeline(tmp_path / "saved")
    fresh.load_parts(tmp_path / "saved", ["denoiser"])
    fresh.formats["pipeline"].write(tmp_path / "exported", torch.float32)
    assert distance(draw(trained), draw_stock(stock(tmp_path / "exported"))) <= ROUNDING


def test_an_exported_pipeline_has_the_precision_asked_for(tiny_sd: Path, tmp_path: Path) -> None:
    tiny_source(tiny_sd).load().formats["pipeline"].write(tmp_path / "exported", torch.float16)
    weights = [weight for file in tmp_path.rglob("*.safetensors") for weight in load_file(file).values()]
    assert {weight.dtype for weight in weights} == {torch.float16}


def test_an_export_destroys_nothing_else(tiny_sd: Path, tmp_path: Path) -> None:
    (tmp_path / "diary.txt").write_text("dear diary")
    write = tiny_source(tiny_sd).load().formats["pipeline"].write
    with pytest.raises(UserError, match="something else is in this folder"):
        write(tmp_path, torch.float32)
    assert (tmp_path / "diary.txt").read_text() == "dear diary"
    for _ in range(2):
        write(tmp_path / "pipeline", torch.float32)
