"""Commands of other trainers as imprint's."""

import re

import pytest
from hydra import compose, initialize_config_dir

from imprint.command_line import VERBS
from imprint.config import conf_folder, register_resolvers
from imprint.errors import UserError
from imprint.explaining.topics import Help
from imprint.migration.commands import translate
from imprint.migration.prompts import SubjectWords, words_of
from imprint.migration.table import advice, flags

DIFFUSERS = (
    "accelerate launch --num_processes=1 examples/train_dreambooth_lora_sdxl.py "
    "--pretrained_model_name_or_path=stabilityai/stable-diffusion-xl-base-1.0 --instance_data_dir 'my photos' "
    "--output_dir=results/dog --mixed_precision=fp16 --instance_prompt='a photo of sks dog' --resolution=1024 "
    "--train_batch_size=2 --gradient_accumulation_steps=4 --learning_rate=1e-4 --lr_warmup_steps=10 "
    "--max_train_steps=500 "
    "--with_prior_preservation --class_prompt='a photo of dog' --num_class_images=50 --report_to=wandb --seed=7 "
    "--validation_prompt='sks dog, on a beach' --num_validation_images=2 --use_8bit_adam --push_to_hub --nonsense=3"
)
KOHYA = (
    "accelerate launch sdxl_train_network.py --pretrained_model_name_or_path=model.safetensors --train_data_dir=img "
    "--output_dir=out --output_name=dog --network_module=networks.lora --network_dim=32 --network_alpha=16 "
    "--unet_lr=1e-4 "
    "--text_encoder_lr=5e-5 --optimizer_type=AdamW8bit --resolution=1024,768 --enable_bucket --max_train_steps=1600 "
    "--mixed_precision=bf16 --xformers --min_timestep 100"
)


def test_a_command_of_diffusers() -> None:
    found = translate("diffusers", DIFFUSERS)
    assert {
        "model=sdxl",
        "method=lora",
        "dataset=folder",
        "dataset.path=my photos",
        "outputs=results",
        "name=dog",
        "hparams.precision=16-mixed",
        "dataset.identifier=sks",
        "dataset.class_noun=dog",
        "method.templates=['a photo of {identifier} {noun}']",
        "model.resolution=1024",
        "hparams.batch_size=8",
        "trainer.accumulation=4",
        "method.lr=1e-4",
        "hparams.rate.name=constant_with_warmup",
        "hparams.rate.warmup=10",
        "hparams.steps=500",
        "prior=generated",
        "prior.count=50",
        "prior.prompt='a photo of {noun}'",
        "report=online",
        "seed=7",
        "samples.prompts=['sks dog, on a beach']",
        "samples.seeds=[0,1]",
        "optimizer=adamw8bit",
    } == set(found.overrides)
    assert [note.partition(":")[0] for note in found.notes] == ["--push_to_hub", "--nonsense"]


def test_a_command_of_kohya() -> None:
    found = translate("kohya", KOHYA)
    assert {
        "model=sdxl",
        "model.source=model.safetensors",
        "method=lora",
        "dataset=kohya",
        "dataset.path=img",
        "outputs=out",
        "name=dog",
        "method.rank=32",
        "method.alpha=16",
        "method.lr=1e-4",
        "method.text_lr=5e-5",
        "method.roles=[denoiser,text]",
        "optimizer=adamw8bit",
        "model.resolution=1024",
        "dataset.crop=buckets",
        "hparams.steps=1600",
        "hparams.precision=bf16-mixed",
        "objective.timesteps=[100,1000]",
    } == set(found.overrides)
    assert any("no square" in note for note in found.notes)


@pytest.mark.parametrize(("program", "line"), [("diffusers", DIFFUSERS), ("kohya", KOHYA)])
def test_what_comes_out_composes(program: str, line: str) -> None:
    register_resolvers()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        cfg = compose("train", overrides=translate(program, line).overrides)
    assert cfg.hparams.steps in (500, 1600)


@pytest.mark.parametrize(
    ("script", "method", "model"),
    [
        ("train_dreambooth", "dreambooth", "sd"),
        ("train_dreambooth_lora_flux", "lora", "flux"),
        ("train_dreambooth_lora_z_image", "lora", "z_image"),
        ("train_dreambooth_lora_flux2_klein", "lora", "flux2_klein"),
        ("train_dreambooth_lora_sdxl_advanced", "pivotal", "sdxl"),
        ("textual_inversion_sdxl", "textual_inversion", "sdxl"),
    ],
)
def test_scripts_say_method_and_model(script: str, method: str, model: str) -> None:
    assert {f"method={method}", f"model={model}"} <= set(translate("diffusers", f"python {script}.py").overrides)


@pytest.mark.parametrize(
    ("instance", "of_class", "found"),
    [
        ("a photo of sks dog", None, SubjectWords("sks", "dog", "a photo of {identifier} {noun}")),
        ("a sks toy car", None, SubjectWords("sks", "toy car", "a {identifier} {noun}")),
        ("a photo of TOK", None, SubjectWords("TOK", "", "a photo of {identifier}")),
        ("in ohwx bear style", "in bear style", SubjectWords("ohwx", "bear style", "in {identifier} {noun}")),
        ("a photo of sks dog", "a cat", SubjectWords("sks", "dog", "a photo of {identifier} {noun}")),
    ],
)
def test_words_of_a_prompt(instance: str, of_class: str | None, found: SubjectWords) -> None:
    assert words_of(instance, of_class) == found


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("hello", "there is no script"),
        ("python 'train_dreambooth.py", "no command line"),
        ("python train_dreambooth_lora_hidream.py", "not supported"),
        ("python other.py --seed 1", "this script is not known"),
    ],
)
def test_what_is_no_such_command_is_told(line: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        translate("diffusers", line)


def test_an_option_of_others_names_ours() -> None:
    assert advice("--learning_rate", "1e-4") == "method.lr=1e-4"
    assert advice("--learning-rate=1e-4", "") == "method.lr=1e-4"
    assert advice("--max_train_steps", "--seed") == "hparams.steps=..."
    assert advice("--nonsense", "1") is None
    assert advice("method=lora", "") is None


def test_every_flag_leads_to_settings_that_there_are() -> None:
    help_ = Help({name: verb.summary for name, verb in VERBS.items()})
    known = {setting.key for _, setting in help_._composed}
    known |= {f"objective.{setting.key}" for _, setting in help_._settings("times")}  # +times@objective.times=...
    for program, own in flags().items():
        for name, flag in own.items():
            assert flag.override or flag.together or flag.note, (program, name)
            for key in re.findall(r"(?<![\w/@.])([a-z_]+(?:\.[a-z_]+)+)=", flag.shown):
                found = key in known or list(help_._settings(key))
                assert found, (program, name, key)
