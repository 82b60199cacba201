"""FLUX.1 from configuration to files: its loss, and what it learns opens in the stock library and comes back."""

from pathlib import Path

import pytest
from drawing import distance, stock
from results import CLOSE, by_the_library, drawn, exported, with_lora
from safetensors.torch import load_file
from small_runs import configure
from tiny import RESOLUTION
from tiny_flux import WIDTHS, tiny_flux_pipeline

from imprint.config import compose
from imprint.errors import UserError
from imprint.launching.forecast import forecast
from imprint.runs import Run
from imprint.verbs.adopt import adopt
from imprint.verbs.train import train

FAST = ("hparams.clip=null", "hparams.steps=4")
ALL_LAYERS = "method.targets=[attention,text_stream,feed_forward,single_stream,modulation]"
LEARNERS = {
    "lora": ["method=lora", "method.roles=[denoiser,text]", "method.lr=2e-2", "method.alpha=2"],
    "everywhere": ["method=lora", "method.lr=2e-2", ALL_LAYERS],
    "word": ["method=textual_inversion", "dataset.identifier=auto", "method.lr=2e-1", "method.vectors=2"],
}


@pytest.fixture(scope="module")
def runs(tiny_flux: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    folder = tmp_path_factory.mktemp("runs")
    return {
        name: train(configure(tiny_flux, pictures, folder, *FAST, *settings)) for name, settings in LEARNERS.items()
    }


def test_the_plan_says_which_noise_is_trained(tiny_flux: Path, pictures: Path, tmp_path: Path) -> None:
    """Logit-normal through the schedule's shift at this resolution; without it half of the samples lie above .5."""
    (line,) = (line for line in forecast(configure(tiny_flux, pictures, tmp_path)) if "more noise than" in line)
    assert line.startswith("Half of the samples have more noise than 0.6")
    plain = forecast(configure(tiny_flux, pictures, tmp_path, "model.times.shift=null"))
    assert any("more noise than 0.50" in line for line in plain)
    # what the objective names goes before what the model says
    own = forecast(configure(tiny_flux, pictures, tmp_path, "+times@objective.times=mode", "objective.times.shift=3"))
    assert any("more noise than 0.75" in line for line in own)


@pytest.mark.parametrize("name", ["lora", "everywhere"])
def test_the_stock_pipeline_loads_all_of_a_lora(
    name: str, runs: dict[str, Run], tiny_flux: Path, tmp_path: Path
) -> None:
    ours = drawn([runs[name]], tmp_path / "ours")
    assert distance(ours, by_the_library(stock(tiny_flux))) > 5 * CLOSE  # otherwise this would prove nothing
    pipeline = with_lora(tiny_flux, runs[name].result)
    assert distance(ours, by_the_library(pipeline)) <= CLOSE
    stored = {key.rpartition(".lora_")[0] for key in load_file(runs[name].result / "pytorch_lora_weights.safetensors")}
    parts = {"transformer": pipeline.transformer, "text_encoder": pipeline.text_encoder}
    loaded = [
        layer
        for part in parts.values()
        for layer, module in part.named_modules()
        if hasattr(module, "lora_A") and module.lora_A
    ]
    assert len(loaded) == len({name for name in stored if name.partition(".")[0] in parts})


def test_what_dev_has_learned_is_drawn_on_a_distilled_checkpoint(
    runs: dict[str, Run], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The way to a few steps that training on the distilled one would undo."""
    folder = tmp_path_factory.mktemp("distilled")
    schnell = tiny_flux_pipeline(folder / "schnell", guidance=False, seed=1)
    ours = drawn([runs["everywhere"]], folder / "ours", f"base={schnell}", "guidance=1")
    assert distance(ours, by_the_library(with_lora(schnell, runs["everywhere"].result))) <= CLOSE
    assert distance(ours, by_the_library(stock(schnell))) > 2 * CLOSE


def test_a_lora_of_another_program_comes_back(
    runs: dict[str, Run], tiny_flux: Path, pictures: Path, tmp_path: Path
) -> None:
    file = runs["everywhere"].result / "pytorch_lora_weights.safetensors"
    settings = [f"files=[{file}]", "model=flux", f"model.source={tiny_flux}", f"model.resolution={RESOLUTION}"]
    settings += [f"dataset.path={pictures}", "dataset.class_noun=dog", "dataset.identifier=sks", f"outputs={tmp_path}"]
    run = adopt(compose("adopt", settings))
    assert distance(drawn([run], tmp_path / "back"), drawn([runs["everywhere"]], tmp_path / "first")) <= CLOSE


def test_what_no_format_holds_is_refused(runs: dict[str, Run], tmp_path: Path) -> None:
    """Layers that kohya's scripts fuse, and a single file."""
    for format in ("kohya", "single_file"):
        with pytest.raises(UserError, match="format"):
            exported(runs["lora"], tmp_path / f"{format}.safetensors", f"format={format}")
    assert not list(tmp_path.glob("*.safetensors"))


def test_a_words_file_names_its_vocabularies(runs: dict[str, Run]) -> None:
    stored = load_file(runs["word"].result / "learned_embeds.safetensors")
    assert {name: tuple(rows.shape) for name, rows in stored.items()} == {
        name: (2, width) for name, width in WIDTHS.items()
    }
