"""Z-Image from configuration to files: its loss, and what it learns opens in the stock library and comes back."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drawing import distance, stock
from results import CLOSE, by_the_library, drawn, with_lora
from safetensors.torch import load_file
from small_runs import configure
from tiny import RESOLUTION
from tiny_z_image import tiny_z_image_pipeline

from imprint.config import compose
from imprint.launching.forecast import forecast
from imprint.runs import Run
from imprint.verbs.adopt import adopt
from imprint.verbs.train import train

EVERYWHERE = ["method=lora", "method.targets=[attention,feed_forward,modulation]", "method.lr=2e-2"]
FILE = "pytorch_lora_weights.safetensors"


@pytest.fixture(scope="module")
def folder(tiny_folder: Callable[[str], Path]) -> Path:
    return tiny_folder("z_image")


@pytest.fixture(scope="module")
def everywhere(folder: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    fast = ["hparams.clip=null", "hparams.steps=4"]
    return train(configure(folder, pictures, tmp_path_factory.mktemp("runs"), *fast, *EVERYWHERE))


def test_the_plan_says_which_noise_is_trained(folder: Path, pictures: Path, tmp_path: Path) -> None:
    """Logit-normal through FLUX.1's shift at 1024 pixels; or through the schedule's own."""
    for settings, median in ([], "0.76"), (["model.times.shift=resolution"], "0.86"):
        plan = forecast(configure(folder, pictures, tmp_path, *settings))
        assert any(f"Half of the samples have more noise than {median}" in line for line in plan)


def test_a_lora_reaches_the_blocks_and_those_that_refine_picture_and_text(everywhere: Run, folder: Path) -> None:
    stored = {key.rpartition(".lora_")[0] for key in load_file(everywhere.result / FILE)}
    modules = with_lora(folder, everywhere.result).transformer.named_modules()
    assert stored == {f"transformer.{name}" for name, module in modules if getattr(module, "lora_A", None)}
    # attention and feed-forward of four blocks and, but for the text's, modulation
    assert len(stored) == 4 * (4 + 3) + 3


def test_what_the_base_model_has_learned_is_drawn_on_turbo(
    everywhere: Run, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The way to a few steps that training on Turbo would undo."""
    folder = tmp_path_factory.mktemp("distilled")
    turbo = tiny_z_image_pipeline(folder / "turbo", shift=3.0, seed=1)
    ours = drawn([everywhere], folder / "ours", f"base={turbo}")
    assert distance(ours, by_the_library(with_lora(turbo, everywhere.result))) <= CLOSE
    assert distance(ours, by_the_library(stock(turbo))) > 2 * CLOSE


def test_a_lora_of_another_program_comes_back(everywhere: Run, folder: Path, pictures: Path, tmp_path: Path) -> None:
    settings = [f"files=[{everywhere.result / FILE}]", "model=z_image", f"model.source={folder}"]
    settings += [f"model.resolution={RESOLUTION}", f"dataset.path={pictures}", "dataset.class_noun=dog"]
    run = adopt(compose("adopt", [*settings, "dataset.identifier=sks", f"outputs={tmp_path}"]))
    assert distance(drawn([run], tmp_path / "back"), drawn([everywhere], tmp_path / "first")) <= CLOSE


def test_a_whole_pipelines_card_writes_out_words_of_several_vectors(
    folder: Path, pictures: Path, tmp_path: Path
) -> None:
    """The words are in its tables, but the stock pipeline would read the first vector alone."""
    network = ["method@method.network=dreambooth", "dataset.identifier='<toy>'", "method.words.vectors=3"]
    run = train(configure(folder, pictures, tmp_path, "method=pivotal", "method.words.lr=2e-1", *network))
    card = (run.result / "README.md").read_text(encoding="utf-8")
    lines = card.partition("```python\n")[2].partition("\npipeline(")[0]
    made: dict[str, Any] = {}
    exec(lines.replace("path/to/this/folder", str(run.result)), made)
    prompts = ["a photo of <toy>", "<toy> on the beach"]
    ours = drawn([run], tmp_path / "ours", f"prompt={prompts}")
    assert distance(ours, by_the_library(made["pipeline"], prompts)) <= CLOSE
    assert distance(ours, by_the_library(stock(run.result), prompts)) > CLOSE
