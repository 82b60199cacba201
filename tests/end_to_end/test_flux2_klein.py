"""FLUX.2 klein from configuration to files: what it learns opens in the stock library, and on distilled checkpoints."""

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
from composed import compose
from diffusers import Flux2KleinPipeline
from drawing import distance, stock
from results import CLOSE, by_the_library, drawn, with_lora
from small_runs import configure
from tiny import RESOLUTION
from tiny_flux2_klein import FAMILY, tiny_flux2_klein_pipeline

from imprint.launching.forecast import forecast
from imprint.runs import Run
from imprint.verbs.adopt import adopt
from imprint.verbs.train import train

ALL_LAYERS = "method.targets=[attention,text_stream,feed_forward,single_stream,modulation]"
SETTINGS = ("hparams.clip=null", "hparams.steps=4", "method=lora", "method.lr=2e-2", "method.rank=4", "method.alpha=4")


@pytest.fixture(scope="module")
def folder(tiny_folder: Callable[[str], Path]) -> Path:
    return tiny_folder("flux2_klein")


@pytest.fixture(scope="module")
def run(folder: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A LoRA on every kind of layer."""
    return train(configure(folder, pictures, tmp_path_factory.mktemp("runs"), *SETTINGS, ALL_LAYERS))


def test_the_plan_says_which_noise_is_trained(folder: Path, pictures: Path, tmp_path: Path) -> None:
    (line,) = (line for line in forecast(configure(folder, pictures, tmp_path)) if "more noise than" in line)
    assert line.startswith("Half of the samples have more noise than 0.6")


def test_the_stock_pipeline_loads_all_of_a_lora(run: Run, folder: Path, tmp_path: Path) -> None:
    ours = drawn([run], tmp_path / "ours")
    assert distance(ours, by_the_library(stock(folder))) > 5 * CLOSE  # otherwise this would prove nothing
    pipeline = with_lora(folder, run.result)
    assert distance(ours, by_the_library(pipeline)) <= CLOSE
    wrapped = {name for name, module in pipeline.transformer.named_modules() if hasattr(module, "lora_A")}
    assert {"single_transformer_blocks.1.attn.to_out", "transformer_blocks.0.attn.to_out.0"} <= wrapped
    assert len(wrapped) == 3 + 12 + 2 * 2  # modulation, the block of two streams, those of one


def test_what_a_base_model_has_learned_is_drawn_on_a_distilled_one(run: Run, tmp_path: Path) -> None:
    distilled = tiny_flux2_klein_pipeline(tmp_path / "distilled", distilled=True, seed=1)
    ours = drawn([run], tmp_path / "ours", f"base={distilled}")
    assert distance(ours, by_the_library(with_lora(distilled, run.result))) <= CLOSE
    assert distance(ours, by_the_library(stock(distilled))) > 2 * CLOSE


def test_a_lora_of_another_program_comes_back(run: Run, folder: Path, pictures: Path, tmp_path: Path) -> None:
    file = run.result / "pytorch_lora_weights.safetensors"
    settings = [f"files=[{file}]", "model=flux2_klein", f"model.source={folder}", f"model.resolution={RESOLUTION}"]
    settings += [f"dataset.path={pictures}", "dataset.class_noun=dog", "dataset.identifier=sks", f"outputs={tmp_path}"]
    back = adopt(compose("adopt", [*settings, *FAMILY.settings]))
    assert distance(drawn([back], tmp_path / "back"), drawn([run], tmp_path / "first")) <= CLOSE


def test_the_published_model_is_read_as_by_the_stock_pipeline() -> None:
    usual = inspect.signature(Flux2KleinPipeline.__call__).parameters
    model = compose("train", ["model=flux2_klein"]).model
    assert tuple(model.text_layers) == usual["text_encoder_out_layers"].default
    assert model.text_tokens == usual["max_sequence_length"].default
    assert model.sampler.steps == usual["num_inference_steps"].default
    assert model.sampler.guidance == usual["guidance_scale"].default
