"""What every method of conf/method keeps to, whatever it teaches: a new one is found here and held to the same."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import yaml
from drawing import ROUNDING, distance, draw
from families import FAMILIES, forms_of, load_tiny
from lessons import after_every_step, assembled
from results import CLOSE, by_the_library
from rounding import near
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from small_runs import METHODS, configure, losses, metrics

from imprint.config import conf_folder
from imprint.errors import ConfigError, UserError
from imprint.libraries.diffusers import kept_in_float32
from imprint.results.load import trained_model
from imprint.runs import Run
from imprint.training.callbacks import FiniteLoss
from imprint.training.module import TrainingModule
from imprint.types import Sampler
from imprint.verbs.train import train

# Rates at which four steps are seen in a picture.
FAST = ["method.lr=3e-2"]
RATES = {
    "dreambooth": ["method.lr=1e-3"],
    "textual_inversion": ["method.lr=2e-1"],
    "pivotal": ["method.network.lr=3e-2", "method.words.lr=2e-1"],
}
STEPS = 4
SAMPLER = Sampler("model", 3, 4.0, "")


class Stopped(Exception):
    """Stands for a crash."""


class Whole(NamedTuple):
    """An uninterrupted run, and the model as it was at the end of it."""

    method: str
    model: Path
    run: Run
    module: TrainingModule


def settings_of(method: str, *more: str) -> list[str]:
    rates = RATES.get(method, FAST)
    usual = ["dataset.identifier=auto", f"hparams.steps={STEPS}", "hparams.batch_size=2", "hparams.clip=null"]
    return [f"method={method}", *usual, *rates, *more]


FORMS_TAUGHT = ("dreambooth", "textual_inversion")  # of which the one writes all parts, the other all vocabularies
TAUGHT = [
    f"{form}-{method}"
    for model, own in FAMILIES.items()
    for form in forms_of(model)
    for method in (METHODS if form == model else FORMS_TAUGHT)
    if method not in own.refused
]
REFUSED = [(model, method) for model, own in FAMILIES.items() for method in own.refused]


@pytest.fixture(scope="module", params=TAUGHT)
def whole(
    request: pytest.FixtureRequest,
    tiny_folder: Callable[[str], Path],
    pictures: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Whole:
    choice, _, method = request.param.partition("-")
    model = tiny_folder(choice)
    modules: list[TrainingModule] = []
    with pytest.MonkeyPatch.context() as patch:
        after_every_step(patch, lambda trainer, module: modules.append(module))
        run = train(configure(model, pictures, tmp_path_factory.mktemp("whole"), *settings_of(method)))
    return Whole(method, model, run, modules[-1])


def test_every_family_is_here() -> None:
    named = {
        yaml.safe_load(file.read_text(encoding="utf-8")).get("_target_")
        for file in (conf_folder() / "model").glob("*.yaml")
    }
    known = {type(model.source(".")) for model in FAMILIES.values()}
    assert named - {None} == {f"{kind.__module__}.{kind.__qualname__}" for kind in known}


@pytest.mark.parametrize(("model", "method"), REFUSED)
def test_a_method_that_a_family_cannot_learn_by_is_refused_with_the_reason(
    model: str, method: str, tiny_folder: Callable[[str], Path], pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=rf"- method='{method}': .*{FAMILIES[model].refused[method]}"):
        train(configure(tiny_folder(model), pictures, tmp_path, *settings_of(method)))
    assert not list(tmp_path.iterdir())


def test_a_method_changes_what_is_drawn_and_its_saved_result_is_what_was_learned(whole: Whole) -> None:
    prompts = [concept.fill("a photo of a {identifier} {noun}") for concept in whole.module.concepts]
    loaded = draw(trained_model(whole.run, scale={}).model, SAMPLER, prompts * 2)
    assert distance(loaded, draw(whole.module.model, SAMPLER, prompts * 2)) <= ROUNDING
    assert distance(loaded, draw(load_tiny(whole.model), SAMPLER, prompts * 2)) > 5 * ROUNDING


def test_the_lines_of_the_model_card_draw_the_same_with_the_stock_libraries(whole: Whole) -> None:
    card = (whole.run.result / "README.md").read_text(encoding="utf-8")
    lines = card.partition("```python\n")[2].partition("```")[0]
    making, _, drawing = lines.rpartition("\npipeline(prompt=")
    making = making.replace("path/to/this/folder", str(whole.run.result))
    names: dict[str, Any] = {}
    exec(making.replace("path/to/the/base/model", str(whole.model)), names)
    prompt = yaml.safe_load(drawing.partition(").images")[0].partition(", image=")[0])
    ours = draw(trained_model(whole.run, scale={}).model, SAMPLER, [prompt, prompt], [3, 4])
    assert distance(ours, by_the_library(names["pipeline"], [prompt], [3, 4])) <= CLOSE


@pytest.mark.parametrize("damage", ["cut off", "of no number"])
def test_a_damaged_result_is_one_line_that_names_its_file(damage: str, whole: Whole, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(whole.run.folder, tmp_path / whole.run.folder.name))
    file = next(file for file in sorted((folder / "result").rglob("*.safetensors")) if is_read(file, whole.method))
    if damage == "cut off":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    else:
        weights = load_file(file)
        next(iter(weights.values())).flatten()[0] = float("nan")
        file.unlink()  # what the libraries have mapped stays as it is
        save_file(weights, file, metadata=metadata_of(whole.run.result / file.relative_to(folder / "result")))
    with pytest.raises(UserError) as told:
        trained_model(Run(folder), scale={})
    assert str(file if damage == "cut off" else file.parent) in str(told.value)
    assert "\n" not in str(told.value)


def is_read(file: Path, method: str) -> bool:
    """A whole pipeline is read as far as it was trained."""
    return method != "dreambooth" or file.parent.name in ("unet", "transformer")


def metadata_of(file: Path) -> dict[str, str]:
    with safe_open(file, framework="pt") as opened:
        return dict(opened.metadata())


def test_after_a_stop_a_run_goes_on_as_if_there_had_been_none(
    whole: Whole, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: FiniteLoss, trainer: Any, module: Any, loss: Any) -> None:
        if trainer.global_step == STEPS - 1:
            raise Stopped

    cfg = configure(whole.model, pictures, tmp_path, *settings_of(whole.method))
    with monkeypatch.context() as patch:
        patch.setattr(FiniteLoss, "on_before_backward", stop)
        with pytest.raises(Stopped):
            train(cfg)
    assert Run(tmp_path / whole.run.folder.name).checkpoint.exists()
    resumed = train(cfg)
    assert metrics(resumed) == metrics(whole.run)
    saved = sorted(whole.run.result.rglob("*.safetensors"))
    assert saved
    for file in saved:
        assert file.read_bytes() == (resumed.result / file.relative_to(whole.run.result)).read_bytes(), file.name


@pytest.mark.parametrize("how", ["trainer.accumulation=2", "trainer.gradient_checkpointing=true"])
def test_how_a_step_is_computed_changes_no_loss(how: str, whole: Whole, pictures: Path, tmp_path: Path) -> None:
    run = train(configure(whole.model, pictures, tmp_path, *settings_of(whole.method, how)))
    assert run.folder.name == whole.run.folder.name
    assert losses(run) == near(losses(whole.run))


def test_in_bfloat16_what_learns_is_float32_and_losses_are_near(whole: Whole, pictures: Path, tmp_path: Path) -> None:
    cfg = configure(whole.model, pictures, tmp_path, *settings_of(whole.method, "hparams.precision=bf16-mixed"))
    module = assembled(cfg)
    precise = {id(parameter) for parameter in (*module.trained(), *kept_in_float32(module.model.roles["denoiser"]))}
    for name, parameter in module.model.named_parameters():
        expected = torch.float32 if id(parameter) in precise else torch.bfloat16
        assert parameter.dtype == expected, name
    run = train(cfg)
    assert losses(run) != losses(whole.run)
    assert losses(run) == pytest.approx(losses(whole.run), rel=0.05)


def test_nothing_changes_but_what_learns(whole: Whole) -> None:
    learning = {id(parameter) for parameter in whole.module.trained()}
    now = {name.replace(".base_layer", ""): weight for name, weight in whole.module.model.named_parameters()}
    for name, weight in load_tiny(whole.model).named_parameters():
        assert id(now[name]) in learning or torch.equal(now[name], weight), name
