"""Every form in which a Stable Diffusion model can be given, and what is known of it before it is loaded."""

import json
import shutil
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from drawing import ROUNDING, distance, draw
from families import load_tiny
from safetensors.torch import load_file, save_file
from tiny import RARE_WORDS, RESOLUTION, WORDS, tiny_file, tiny_pipeline, tiny_source
from transformers import CLIPTextModel

from imprint.types import Sampler

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def put_in_cache(cache: Path, pipeline: Path, *, revision: str) -> None:
    repository = cache / "models--someone--something"
    shutil.copytree(pipeline, repository / "snapshots" / COMMIT)
    reference = repository / "refs" / revision
    reference.parent.mkdir(parents=True)
    reference.write_text(COMMIT)


def test_facts_of_a_pipeline_folder(tiny_sd: Path) -> None:
    facts = tiny_source(tiny_sd).facts()
    assert facts.roles == ("denoiser", "text")
    assert (facts.prediction, facts.timesteps, facts.has_zero_terminal_snr) == ("epsilon", 1000, False)
    assert (facts.resolution, facts.pixel_multiple) == (RESOLUTION, 8)


def test_common_and_rare_words_are_single_tokens(tiny_sd: Path) -> None:
    tokenizer = tiny_source(tiny_sd).facts().tokenizer
    lengths = {word: len(tokenizer(word).input_ids) - 2 for word in (*WORDS, *RARE_WORDS, "unheardof")}
    assert lengths.pop("unheardof") > 1
    assert set(lengths.values()) == {1}


@pytest.mark.parametrize("network", [UNet2DConditionModel, AutoencoderKL, CLIPTextModel])
def test_facts_build_no_network(network: type, tiny_sd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a network was built")

    monkeypatch.setattr(network, "__init__", refuse)
    assert tiny_source(tiny_sd).facts().timesteps == 1000


def test_prediction_and_noise_come_from_the_checkpoint(tmp_path: Path) -> None:
    folder = tiny_pipeline(tmp_path / "v", prediction="v_prediction", zero_snr=True)
    facts = tiny_source(folder).facts()
    assert facts.prediction == "v_prediction"
    assert facts.has_zero_terminal_snr


def test_prediction_can_be_overridden(tiny_sd: Path) -> None:
    source = tiny_source(tiny_sd, prediction="v_prediction")
    assert source.facts().prediction == source.load().process.prediction == "v_prediction"
    assert source.facts().fingerprint != tiny_source(tiny_sd).facts().fingerprint


def test_a_model_loads_frozen_in_float32_for_evaluation(tmp_path: Path) -> None:
    model = tiny_source(tiny_pipeline(tmp_path, dtype=torch.float16)).load()
    assert not any(parameter.requires_grad for parameter in model.parameters())
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert not any(module.training for module in model.modules())


def test_the_fingerprint_is_of_the_content_not_the_place(tiny_sd: Path, tmp_path: Path) -> None:
    moved = shutil.copytree(tiny_sd, tmp_path / "elsewhere")
    assert tiny_source(moved).facts().fingerprint == tiny_source(tiny_sd).facts().fingerprint


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
def test_the_fingerprint_changes_with_any_weight(part: str, tiny_sd: Path, tmp_path: Path) -> None:
    changed = shutil.copytree(tiny_sd, tmp_path / "changed")
    (file,) = (changed / part).glob("*.safetensors")
    weights = load_file(file)
    next(iter(weights.values())).view(-1)[0] += 1e-3
    save_file(weights, file, metadata={"format": "pt"})
    assert tiny_source(changed).facts().fingerprint != tiny_source(tiny_sd).facts().fingerprint


@pytest.mark.parametrize("name", ["scheduler/scheduler_config.json", "tokenizer/vocab.json", "unet/config.json"])
def test_the_fingerprint_changes_with_vocabulary_and_configuration(name: str, tiny_sd: Path, tmp_path: Path) -> None:
    changed = shutil.copytree(tiny_sd, tmp_path / "changed")
    file = changed / name
    file.write_text(file.read_text() + "\n")
    assert tiny_source(changed).facts().fingerprint != tiny_source(tiny_sd).facts().fingerprint


def test_facts_are_those_of_the_files_as_they_are_now(tmp_path: Path) -> None:
    folder = tiny_pipeline(tmp_path / "sd")
    before = tiny_source(folder).facts()
    for file, change in {
        "scheduler/scheduler_config.json": {"num_train_timesteps": 500},
        "tokenizer/tokenizer_config.json": {"model_max_length": 11},
    }.items():
        content = json.loads((folder / file).read_text())
        (folder / file).write_text(json.dumps({**content, **change}))
    facts = tiny_source(folder).facts()
    assert (before.timesteps, facts.timesteps) == (1000, 500)
    assert before.tokenizer.model_max_length != facts.tokenizer.model_max_length == 11


def test_a_word_that_is_learned_is_not_among_the_facts(tiny_sd: Path) -> None:
    facts = tiny_source(tiny_sd).facts()
    load_tiny(tiny_sd).learn_word("<toy>", {"clip_l": torch.zeros(1, 16)}, length=None)
    assert "<toy>" not in facts.tokenizer.get_vocab()
    assert "<toy>" not in tiny_source(tiny_sd).facts().tokenizer.get_vocab()


def test_a_variant_is_another_set_of_weights(tiny_sd: Path, tmp_path: Path) -> None:
    folder = tiny_pipeline(tmp_path, seed=5, dtype=torch.float16, variant="fp16")
    alone = draw(tiny_source(folder, variant="fp16").load())
    shutil.copytree(tiny_sd, folder, dirs_exist_ok=True)  # now both are there
    assert distance(draw(tiny_source(folder, variant="fp16").load()), alone) == 0
    assert distance(draw(tiny_source(folder).load()), draw(tiny_source(tiny_sd).load())) == 0


def test_pickled_weights_load_when_allowed(tiny_sd: Path, tmp_path: Path) -> None:
    folder = tiny_pipeline(tmp_path, pickled=True)
    model = tiny_source(folder, allow_pickle=True).load()
    assert distance(draw(model), draw(tiny_source(tiny_sd).load())) == 0


def test_weights_under_older_names_load(tiny_sd: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_sd, tmp_path / "old"))
    for name, rename in (
        ("vae/diffusion_pytorch_model.safetensors", first_autoencoder_name),
        ("text_encoder/model.safetensors", lambda name: f"text_model.{name.removeprefix('text_model.')}"),
    ):
        weights = {rename(old): weight for old, weight in load_file(folder / name).items()}
        save_file(weights, folder / name, metadata={"format": "pt"})
    assert distance(draw(tiny_source(folder).load()), draw(tiny_source(tiny_sd).load())) == 0


def first_autoencoder_name(name: str) -> str:
    """What the autoencoder's attention was called in the first published checkpoints."""
    if "attentions" in name:
        for new, old in (("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")):
            name = name.replace(new, old)
    return name


def test_a_single_file_is_the_same_model(tiny_sd: Path, tmp_path: Path) -> None:
    file = tiny_file(tmp_path / "model.safetensors", tiny_sd)
    source = tiny_source(file, config=str(tiny_sd))
    assert source.facts().prediction == "epsilon"
    assert distance(draw(source.load()), draw(tiny_source(tiny_sd).load())) <= ROUNDING


def test_a_pickled_single_file_loads_when_allowed(tiny_sd: Path, tmp_path: Path) -> None:
    weights = load_file(tiny_file(tmp_path / "model.safetensors", tiny_sd))
    torch.save({"state_dict": weights, "global_step": 1}, tmp_path / "model.ckpt")
    source = tiny_source(tmp_path / "model.ckpt", config=str(tiny_sd), allow_pickle=True)
    assert source.facts().timesteps == 1000
    assert distance(draw(source.load()), draw(tiny_source(tiny_sd).load())) <= ROUNDING


def test_a_hub_id_is_found_in_the_cache_without_a_connection(tiny_sd: Path, hub_cache: Path) -> None:
    put_in_cache(hub_cache, tiny_sd, revision="main")
    source = tiny_source("someone/something")
    assert source.facts().fingerprint == tiny_source(tiny_sd).facts().fingerprint
    assert distance(draw(source.load()), draw(tiny_source(tiny_sd).load())) == 0


def test_a_revision_of_a_hub_id_can_be_pinned(tiny_sd: Path, hub_cache: Path) -> None:
    put_in_cache(hub_cache, tiny_sd, revision="v1")
    assert tiny_source("someone/something", revision="v1").facts().timesteps == 1000
    assert tiny_source("someone/something", revision=COMMIT).facts().timesteps == 1000


def test_a_single_file_finds_its_configuration_on_the_hub(tiny_sd: Path, tmp_path: Path, hub_cache: Path) -> None:
    file = tiny_file(tmp_path / "model.safetensors", tiny_sd)
    put_in_cache(hub_cache, tiny_sd, revision="main")
    source = tiny_source(file, config="someone/something")
    assert distance(draw(source.load()), draw(tiny_source(tiny_sd).load())) <= ROUNDING


def test_a_relative_path_is_no_hub_id(tiny_sd: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_sd.parent.parent)
    assert tiny_source(f"{tiny_sd.parent.name}/{tiny_sd.name}").facts().timesteps == 1000


def test_a_sampler_needs_a_step() -> None:
    with pytest.raises(ValueError, match=r"sampler\.steps=0"):
        tiny_source("anything", sampler=Sampler("model", 0, 5.0, ""))
