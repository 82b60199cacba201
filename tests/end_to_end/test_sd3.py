"""Stable Diffusion 3 from configuration to files: what it learns opens in the stock library and comes back."""

from pathlib import Path

import pytest
from drawing import distance, stock
from results import CLOSE, by_the_library, drawn, with_lora
from safetensors.torch import load_file
from small_runs import configure
from tiny import RESOLUTION
from tiny_sd3 import WIDTHS

from imprint.config import compose
from imprint.runs import Run
from imprint.verbs.adopt import adopt
from imprint.verbs.train import train

EVERYWHERE = [
    "method=lora",
    "method.roles=[denoiser,text,text_2]",
    "method.targets=[attention,text_stream,feed_forward,modulation]",
    "method.lr=2e-2",
]
WORD = ["method=textual_inversion", "dataset.identifier=auto", "method.lr=2e-1", "method.vectors=2"]


@pytest.fixture(scope="module")
def runs(tiny_sd3: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("runs")
    steps = ("hparams.clip=null", "hparams.steps=4")
    return {
        name: train(configure(tiny_sd3, pictures, folder, *steps, *settings))
        for name, settings in {"everywhere": EVERYWHERE, "word": WORD}.items()
    }


def test_the_stock_pipeline_loads_all_of_a_lora(runs: dict[str, Run], tiny_sd3: Path, tmp_path: Path) -> None:
    ours = drawn([runs["everywhere"]], tmp_path / "ours")
    assert distance(ours, by_the_library(stock(tiny_sd3))) > 5 * CLOSE  # otherwise this would prove nothing
    pipeline = with_lora(tiny_sd3, runs["everywhere"].result)
    assert distance(ours, by_the_library(pipeline)) <= CLOSE
    stored = load_file(runs["everywhere"].result / "pytorch_lora_weights.safetensors")
    parts = [pipeline.transformer, pipeline.text_encoder, pipeline.text_encoder_2]
    loaded = [module for part in parts for module in part.modules() if hasattr(module, "lora_A") and module.lora_A]
    assert len(loaded) == len({key.rpartition(".lora_")[0] for key in stored})


def test_a_lora_of_another_program_comes_back(
    runs: dict[str, Run], tiny_sd3: Path, pictures: Path, tmp_path: Path
) -> None:
    file = runs["everywhere"].result / "pytorch_lora_weights.safetensors"
    settings = [f"files=[{file}]", "model=sd3", f"model.source={tiny_sd3}", f"model.resolution={RESOLUTION}"]
    settings += [f"dataset.path={pictures}", "dataset.class_noun=dog", "dataset.identifier=sks", f"outputs={tmp_path}"]
    run = adopt(compose("adopt", settings))
    assert distance(drawn([run], tmp_path / "back"), drawn([runs["everywhere"]], tmp_path / "first")) <= CLOSE


def test_a_words_file_names_its_vocabularies(runs: dict[str, Run]) -> None:
    stored = load_file(runs["word"].result / "learned_embeds.safetensors")
    assert {name: tuple(rows.shape) for name, rows in stored.items()} == {
        name: (2, width) for name, width in WIDTHS.items()
    }
