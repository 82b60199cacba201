"""imprint as it is typed: in a process of its own where that matters, in this one where only what is said does."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from command import Typed, typed_with
from rounding import near
from small_runs import losses, metrics, only_run, overrides

from imprint.runs import Run


def imprint(*arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        [sys.executable, "-m", "imprint.cli", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
        timeout=300,
    )
    assert not check or result.returncode == 0, result.stderr
    return result


def test_help_names_the_verbs() -> None:
    said = imprint("--help").stdout
    for verb in ("train", "generate", "export", "report"):
        assert verb in said


def test_a_verb_that_does_not_exist_is_refused() -> None:
    result = imprint("trian", check=False)
    assert result.returncode == 2
    assert "trian" in result.stderr


@pytest.fixture
def typed(capfd: pytest.CaptureFixture[str]) -> Typed:
    return typed_with(capfd)


def test_a_configuration_is_shown_with_every_reference_resolved() -> None:
    said = imprint("train", "--cfg", "job", "--resolve", "prior=generated").stdout
    assert "${" not in said
    assert "gamma" not in said
    assert "weight_decay: 0.01" in said


def test_a_grid_has_no_one_configuration_to_show(typed: Typed) -> None:
    said = typed("train", "-m", "--cfg", "job", "seed=0,1")
    assert said.code == 1
    assert "dry_run=true lists points" in said.text
    assert "Traceback" not in said.text


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("method.lrr=1", "did you mean method.lr"),
        ("hprams.steps=3", "did you mean hparams.steps"),
        ("lr=3", "did you mean method.lr"),
        ("metod=lora", "did you mean method"),
        ("model=sd51", "sd15"),
    ],
)
def test_a_misspelt_key_or_choice_gets_the_nearest_names(override: str, expected: str, typed: Typed) -> None:
    said = typed("train", override)
    assert said.code == 1
    assert expected in said.text
    assert "Traceback" not in said.text


def test_mistakes_are_told_without_a_stack_trace(tmp_path: Path) -> None:
    result = imprint(
        "train",
        "dataset=folder",
        f"dataset.path={tmp_path}/none",
        "dataset.class_noun=dog",
        "model=sd15",
        "method.lr=0",
        f"outputs={tmp_path}/out",
        check=False,
        HF_HUB_OFFLINE="1",
    )
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.strip().startswith("imprint train: ")  # nothing of Hydra's before it
    for expected in ("4 problems", "method.lr=0", "stable-diffusion-v1-5", f"{tmp_path}/none"):
        assert expected in result.stderr


@pytest.mark.slow
def test_a_run_by_command_is_drawn_exported_and_reported(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    imprint("train", *overrides(tiny_sd, pictures, tmp_path / "runs"))
    run = only_run(tmp_path / "runs")
    imprint(
        "generate",
        str(run.folder),
        "prompt=['a {identifier} {noun}', 'a {noun}']",
        "seeds=[1,2]",
        f"outputs={tmp_path}/out",
    )
    assert len(list((tmp_path / "out").glob("*.png"))) == 4
    imprint(
        "generate", str(run.folder), "prompt=a {identifier}, it's on a beach", "seeds=[1]", f"outputs={tmp_path}/one"
    )
    assert "a sks, it's on a beach" in (tmp_path / "one" / "pictures.json").read_text(encoding="utf-8")
    imprint("export", str(run.folder), "format=single_file", f"out={tmp_path}/model.safetensors")
    assert (tmp_path / "model.safetensors").stat().st_size > 10_000
    imprint("report", str(tmp_path / "runs"))
    assert run.folder.name in (tmp_path / "runs" / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_failing_point_of_a_grid_does_not_stop_the_others(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    command = overrides(tiny_sd, pictures, tmp_path, "method=lora", "method.lr=1e-3,1e30,1e-2")
    result = imprint("train", "-m", *command, check=False)
    assert result.returncode == 1
    assert "method.lr=1e+30: The loss of step" in result.stderr
    statuses = sorted(Run.open(file.parent).status for file in tmp_path.glob("*/manifest.json"))
    assert statuses == ["failed", "finished", "finished"]


@pytest.mark.slow
def test_a_grid_with_a_mistake_in_one_point_does_not_start(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    command = overrides(tiny_sd, pictures, tmp_path, "objective.timesteps=[0,1000],[0,5000],[10,20]")
    result = imprint("train", "-m", *command, check=False)
    assert result.returncode == 1
    assert "objective.timesteps=[0, 5000]" in result.stderr
    assert not list(tmp_path.glob("*/manifest.json"))


NEW_WORD = "dataset.identifier=auto"


@pytest.mark.slow
def test_a_point_of_a_grid_and_the_same_single_run_share_a_folder(
    tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    imprint("train", "-m", *overrides(tiny_sd, pictures, tmp_path, "seed=0,1"))
    result = imprint("train", *overrides(tiny_sd, pictures, tmp_path, "seed=1"))
    assert "Finished before" in result.stderr
    assert len(list(tmp_path.glob("*/manifest.json"))) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "method",
    [
        ["method=dreambooth"],
        ["method=lora", "method.roles=[denoiser,text]"],
        ["method=loha"],
        ["method=lokr"],
        ["method=textual_inversion", NEW_WORD],
        ["method=pivotal", NEW_WORD],
        ["method=custom_diffusion", NEW_WORD],
    ],
    ids=lambda method: method[0].removeprefix("method="),
)
def test_two_processes_do_what_one_does(method: list[str], tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    shared = [*method, "hparams.batch_size=4", "prior=generated", "prior.count=3"]
    imprint("train", *overrides(tiny_sd, pictures, tmp_path / "one", *shared))
    # The drawing of samples is part of it: the second process must wait for the first.
    imprint(
        "train",
        *overrides(tiny_sd, pictures, tmp_path / "two", *shared, "trainer=ddp", "samples=default"),
        "trainer.accelerator=cpu",
        "trainer.checkpoint_every=2",
    )
    one, two = only_run(tmp_path / "one"), only_run(tmp_path / "two")
    assert one.folder.name == two.folder.name
    assert losses(two) == near(losses(one))
    assert [row["loss/prior"] for row in metrics(two)] == near(row["loss/prior"] for row in metrics(one))
    assert two.sample_index.is_file()


@pytest.mark.slow
@pytest.mark.parametrize("after", [1, 3, 4])
def test_a_killed_run_goes_on_where_it_was(after: int, tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    settings = ["hparams.steps=40", "trainer.checkpoint_every=1", "prior=generated", "prior.count=2"]
    imprint("train", *overrides(tiny_sd, pictures, tmp_path / "whole", *settings))
    whole = only_run(tmp_path / "whole")
    command = [
        sys.executable,
        "-m",
        "imprint.cli",
        "train",
        *overrides(tiny_sd, pictures, tmp_path / "parts", *settings),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run = Run(tmp_path / "parts" / whole.folder.name)
    _wait_for_rows(run, after, process)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert run.status == "running"
    imprint(*command[3:])
    assert run.status == "finished"
    assert metrics(run) == metrics(whole)


def _wait_for_rows(run: Run, count: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None, "the run ended before it could be killed"
        if run.metrics.exists() and run.metrics.read_text().count("\n") > count and run.checkpoint.exists():
            return
        time.sleep(0.005)
    raise AssertionError("no step within two minutes")


def test_a_folder_of_the_users_own_adds_choices_and_local_overrides(tmp_path: Path, typed: Typed) -> None:
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "default.yaml").write_text("# @package _global_\nseed: 7\n")
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "mine.yaml").write_text("defaults: [folder, _self_]\npath: /photos\nclass_noun: cat\n")
    said = typed("train", "--config-dir", str(tmp_path), "--cfg", "job", "dataset=mine").text
    assert "seed: 7" in said
    assert "path: /photos" in said
    wrong = typed("train", "--config-dir", str(tmp_path), "dataset=mine", "dataset.pth=x")
    assert "did you mean dataset.path" in wrong.text


def test_a_recipe_sets_the_numbers_of_a_pair_of_model_and_method(typed: Typed) -> None:
    assert "lr: 0.0003" in typed("train", "--cfg", "job", "model=mini").text
    assert "lr: 5.0e-06" in typed("train", "--cfg", "job", "model=sd15").text


def test_help_explains_what_was_chosen(typed: Typed) -> None:
    said = typed("train", "method=lora", "--help")
    assert said.code == 0
    assert "rsLoRA" in said.text
    assert "method=lora; also" in said.text


def test_help_of_a_choice_that_is_not_there_names_neighbours(typed: Typed) -> None:
    said = typed("train", "method=lorra", "--help")
    assert said.code == 1
    assert "did you mean lora" in said.text


def test_help_and_completion_are_verbs(typed: Typed) -> None:
    assert "low-rank" in typed("help", "method.lora").text
    assert "usage: imprint" in typed("help").text
    assert "complete -o" in typed("completion", "bash").text
    assert "there is completion for bash, zsh, fish" in typed("completion", "tcsh").text


def test_flags_of_other_trainers_are_answered(typed: Typed) -> None:
    said = typed("train", "--learning_rate", "1e-4", "--max_train_steps=500")
    assert said.code == 1
    assert "--learning_rate is method.lr=1e-4 here; --max_train_steps=500 is hparams.steps=500 here" in said.text
    said = typed("train", "learning_rate=1e-4", "max_train_steps=500")
    assert "learning_rate=0.0001: unknown key; this is method.lr=1e-4 here" in said.text
    assert "unknown key; this is hparams.steps=500 here" in said.text


def test_the_completion_that_hydra_offers_is_answered_with_ours(typed: Typed) -> None:
    said = typed("train", "-sc", "install=bash")
    assert said.code == 1
    assert "imprint completion bash" in said.text


def test_commands_of_other_trainers_are_translated(typed: Typed) -> None:
    said = typed("from-diffusers", "python train_dreambooth_lora.py --max_train_steps=500 --push_to_hub")
    assert "imprint train \\\n  model=sd \\\n  method=lora \\\n  hparams.steps=500\n" in said.text
    assert "--push_to_hub: nothing is published" in said.text
    assert "this script is not known" in typed("from-kohya", "python nonsense.py").text
