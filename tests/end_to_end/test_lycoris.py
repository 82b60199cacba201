"""LoHa and LoKr: no stock loader reads them, so each way to use them is shown to give the same pictures."""

from pathlib import Path
from typing import Any

import pytest
import torch
from composed import compose
from diffusers import DiffusionPipeline
from drawing import ROUNDING, distance, draw, stock
from families import load_tiny
from lessons import assembled
from safetensors.torch import load_file
from small_runs import configure
from torch import Tensor

from imprint.results.load import trained_model
from imprint.runs import Run
from imprint.types import Sampler
from imprint.verbs.export import export
from imprint.verbs.train import train

FAST = ("method.roles=[denoiser,text]", "method.lr=5e-2", "method.alpha=3", "hparams.clip=null")
EVERYWHERE = "method.targets=[attention,feed_forward,convolutions]"
VARIANTS = {
    "loha": ["method=loha", EVERYWHERE],
    "lokr": ["method=lokr", EVERYWHERE, "method.rank=2"],
    "lokr-whole": ["method=lokr", "method.rank=64"],  # both factors are whole matrices
    "lokr-both": ["method=lokr", "method.decompose_both=true", "method.rank=1", "method.factor=4"],
}
SAMPLER = Sampler("model", 3, 4.0, "")


@pytest.fixture(scope="module", params=VARIANTS)
def trained(
    request: pytest.FixtureRequest, tiny_sd: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, Path]:
    """A finished run, and the model it began with."""
    settings = VARIANTS[request.param]
    return train(configure(tiny_sd, pictures, tmp_path_factory.mktemp("runs"), *FAST, *settings)), tiny_sd


def exported(run: Run, path: Path, format: str) -> Path:
    return export(compose("export", [f"run={run.folder}", f"format={format}", "dtype=float32", f"out={path}"]))


def test_a_loaded_result_draws_what_the_merged_pipeline_does(trained: tuple[Run, Path], tmp_path: Path) -> None:
    run, model = trained
    loaded = draw(trained_model(run, scale={}).model, SAMPLER)
    merged = draw(load_tiny(exported(run, tmp_path / "pipeline", "pipeline")), SAMPLER)
    assert distance(loaded, merged) <= ROUNDING
    untuned = draw(load_tiny(model), SAMPLER)
    assert distance(loaded, untuned) > 5 * ROUNDING
    off = draw(trained_model(run, scale={"denoiser": 0.0, "text": 0.0}).model, SAMPLER)
    assert distance(off, untuned) == 0


def test_the_lines_of_the_card_merge_the_result(trained: tuple[Run, Path], tmp_path: Path) -> None:
    run, model = trained
    card = (run.result / "README.md").read_text(encoding="utf-8")
    lines = card.partition("```python\n")[2].partition("```")[0]
    assert "load_lora_weights does not read" in lines
    lines = lines.replace("path/to/this/folder", str(run.result)).replace("path/to/the/base/model", str(model))
    merging, _, _ = lines.rpartition("pipeline(")
    names: dict[str, Any] = {}
    exec(merging, names)
    names["pipeline"].save_pretrained(tmp_path / "theirs")
    ours = draw(trained_model(run, scale={}).model, SAMPLER)
    assert distance(ours, draw(load_tiny(tmp_path / "theirs"), SAMPLER)) <= ROUNDING


def test_the_stock_loader_refuses_the_result(trained: tuple[Run, Path]) -> None:
    run, model = trained
    pipeline: DiffusionPipeline = stock(model)
    with pytest.raises((ValueError, OSError)):
        pipeline.load_lora_weights(run.result / "unet", weight_name="adapter_model.safetensors")


def test_kohyas_names_hold_what_was_trained(trained: tuple[Run, Path], tmp_path: Path) -> None:
    """By the rules that the readers of such files follow."""
    run, model = trained
    stored = load_file(exported(run, tmp_path / "kohya.safetensors", "kohya"))
    updates = {key: _update(_of(stored, key)) for key in {name.partition(".")[0] for name in stored}}
    untuned = stock(model)
    tuned = stock(exported(run, tmp_path / "pipeline", "pipeline"))
    found = set()
    for prefix, part in {"lora_unet_": "unet", "lora_te_text_model_": "text_encoder"}.items():
        before: dict[str, Tensor] = getattr(untuned, part).state_dict()
        for name, weight in getattr(tuned, part).state_dict().items():
            key = f"{prefix}{name.removesuffix('.weight').removeprefix('text_model.').replace('.', '_')}"
            if name.endswith(".weight") and key in updates:
                found.add(key)
                torch.testing.assert_close(
                    weight - before[name], updates[key].reshape(weight.shape), atol=1e-5, rtol=1e-4
                )
            else:
                assert torch.equal(weight, before[name]), name
    assert found == updates.keys()


def test_nothing_is_left_to_alpha(trained: tuple[Run, Path], tmp_path: Path) -> None:
    """LyCORIS' own merging multiplies by alpha / rank twice."""
    run, _ = trained
    stored = load_file(exported(run, tmp_path / "kohya.safetensors", "kohya"))
    for key in {name.partition(".")[0] for name in stored}:
        own = _of(stored, key)
        ranks = [own[name].shape[0] for name in ("hada_w1_b", "lokr_w1_b", "lokr_w2_b") if name in own]
        assert set(ranks) <= {own["alpha"].item()}


def _of(stored: dict[str, Tensor], key: str) -> dict[str, Tensor]:
    return {name.partition(".")[2]: tensor for name, tensor in stored.items() if name.partition(".")[0] == key}


def _update(own: dict[str, Tensor]) -> Tensor:
    alpha = own["alpha"].item()
    if "hada_w1_a" in own:
        product = (own["hada_w1_a"] @ own["hada_w1_b"]) * (own["hada_w2_a"] @ own["hada_w2_b"])
        return product * alpha / own["hada_w1_b"].shape[0]
    rank = None
    factors = []
    for name in ("lokr_w1", "lokr_w2"):
        if name in own:
            factors.append(own[name])
        else:
            rank = own[f"{name}_b"].shape[0]
            factors.append(own[f"{name}_a"] @ own[f"{name}_b"])
    first, second = factors
    if second.ndim == 4:
        first = first[:, :, None, None]
    return torch.kron(first, second.contiguous()) * (alpha / rank if rank else 1.0)


@pytest.mark.parametrize("method", ["loha", "lokr"])
def test_adapters_learn_in_float32_from_the_untuned_model_on(
    method: str, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    settings = [*FAST, f"method={method}", EVERYWHERE, "method.lr=1e-3"]
    rounded = configure(tiny_sd, pictures, tmp_path, *settings, "hparams.precision=bf16-mixed")
    module = assembled(rounded)
    for name, parameter in module.model.named_parameters():
        assert parameter.dtype == (torch.float32 if parameter.requires_grad else torch.bfloat16), name
    exact = configure(tiny_sd, pictures, tmp_path, *settings)
    assert distance(draw(assembled(exact).model, SAMPLER), draw(load_tiny(tiny_sd), SAMPLER)) == 0
