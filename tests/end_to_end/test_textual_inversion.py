"""A run that teaches a word: the word alone changes, and other programs draw it."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from composed import compose
from drawing import ROUNDING, distance, stock
from families import load_tiny
from lessons import after_every_step
from PIL import Image
from results import CLOSE, by_the_library
from rounding import near
from safetensors.torch import load_file
from small_runs import configure, losses, metrics, only_run, overrides
from torch import Tensor

from imprint.errors import ConfigError, UserError
from imprint.methods.word_files import FILE
from imprint.models.process import NoiseProcess
from imprint.planning.prepare import prepare
from imprint.runs import Run
from imprint.training.callbacks import FiniteLoss
from imprint.training.encoding import encode_captions
from imprint.training.module import TrainingModule
from imprint.verbs.export import export
from imprint.verbs.generate import generate
from imprint.verbs.train import train

# A rate at which six steps are seen in a picture.
SETTINGS = ("method=textual_inversion", "dataset.identifier=auto", "method.lr=2e-1", "hparams.clip=null")
SAMPLES = (
    "samples=default",
    "samples.prompts=['a photo of {identifier}','a photo of {noun}']",
    "samples.seeds=[7]",
)
SAMPLED = ("a photo of <dog>", "a photo of dog")
PLAIN = ("scheduler=model", "steps=3", "guidance=4")  # what `by_the_library` does
VARIANTS = {
    "plain": [],
    "several": ["method.vectors=3", "hparams.ema=0.5", "hparams.rate.name=cosine"],
    "held": ["method.norm=0.4", "method.start=random", "dataset.crop=random"],
    "accumulation": ["hparams.batch_size=4", "trainer.accumulation=2"],
    "prior": ["prior=generated", "prior.count=3"],
    "teacher": ["prior=base_prediction"],
    "bf16": ["hparams.precision=bf16-mixed"],
}


class Stopped(Exception):
    """Stands for a crash."""


def learned(run: Run) -> Tensor:
    [(word, vectors_ND)] = load_file(run.result / FILE).items()
    assert word == "<dog>"
    return vectors_ND


def start(model: Path) -> Tensor:
    return load_tiny(model).vocabularies["clip_l"].token_vectors("dog")


class Whole(NamedTuple):
    """An uninterrupted run, and the model as it was at the end of it."""

    variant: str
    settings: Sequence[str]
    run: Run
    module: TrainingModule


@pytest.fixture(scope="module", params=VARIANTS)
def whole(
    request: pytest.FixtureRequest, tiny_sd: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory
) -> Whole:
    modules: list[TrainingModule] = []
    settings = [*SETTINGS, "optimizer.weight_decay=0.5", *VARIANTS[request.param]]
    with pytest.MonkeyPatch.context() as patch:
        after_every_step(patch, lambda trainer, module: modules.append(module))
        run = train(configure(tiny_sd, pictures, tmp_path_factory.mktemp("whole"), *settings))
    return Whole(request.param, settings, run, modules[-1])


def test_nothing_changes_but_the_vectors_and_these_are_saved(whole: Whole, tiny_sd: Path) -> None:
    variant, _, run, module = whole
    [vectors_ND] = module.trained()
    assert vectors_ND.dtype == torch.float32
    untuned = load_tiny(tiny_sd).state_dict()
    now = module.model.state_dict()
    [added] = now.keys() - untuned.keys()
    assert now[added].data_ptr() == vectors_ND.data_ptr()
    for name, weight in untuned.items():
        assert torch.equal(now[name], weight.to(now[name].dtype)), name
    saved = learned(run)
    assert saved.dtype == torch.float32
    with module.averaged():
        [seen] = [vectors["clip_l"] for vectors in module.model.words.values()]
        assert torch.equal(saved, seen)
        assert torch.equal(seen, vectors_ND) == (variant != "held")
    assert not torch.allclose(saved, start(tiny_sd).expand_as(saved), atol=1e-2)
    assert run.read().trained_parameters == {"words": saved.numel()}
    if variant == "held":
        torch.testing.assert_close(saved.norm(dim=1), torch.tensor([0.4]))


def test_after_a_stop_a_run_goes_on_as_if_there_had_been_none(
    whole: Whole, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(self: FiniteLoss, trainer, module, loss) -> None:
        if trainer.global_step == 5:
            raise Stopped

    cfg = configure(tiny_sd, pictures, tmp_path, *whole.settings)
    with monkeypatch.context() as patch:
        patch.setattr(FiniteLoss, "on_before_backward", stop)
        with pytest.raises(Stopped):
            train(cfg)
    stopped = Run(tmp_path / whole.run.folder.name)
    checkpoint = torch.load(stopped.checkpoint, weights_only=True)
    assert [value.numel() for value in checkpoint["state_dict"].values()] == [learned(whole.run).numel()]
    resumed = train(cfg)
    assert metrics(resumed) == metrics(whole.run)
    assert torch.equal(learned(resumed), learned(whole.run))


def test_a_vector_learns_what_another_word_does(
    tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    untuned = load_tiny(tiny_sd)

    def of_another_word(self: NoiseProcess, latents_BCHW: Tensor, noise_BCHW: Tensor, t_B: Tensor) -> Tensor:
        told = encode_captions(untuned, ["a photo of red"] * len(t_B))
        return untuned.denoise(self.add_noise(latents_BCHW, noise_BCHW, t_B), t_B, told).detach()

    monkeypatch.setattr(NoiseProcess, "target", of_another_word)
    settings = ["method.templates=['a photo of {identifier}']", "method.lr=3e-2", "hparams.steps=60"]
    found = losses(train(configure(tiny_sd, pictures, tmp_path, *SETTINGS, *settings, "hparams.batch_size=4")))
    assert sum(found[-5:]) < 0.1 * sum(found[:5])


@pytest.mark.parametrize("prior", ["generated", "base_prediction"])
def test_a_prior_moves_no_vector(
    prior: str, tiny_sd: Path, pictures: Path, tmp_path: Path, finished: Callable[..., Run]
) -> None:
    """What the class noun makes cannot change, so neither can what is learned."""
    settings = [*SETTINGS, "hparams.batch_size=2"]
    plain = finished(*settings)
    count = ["prior.count=3"] if prior == "generated" else []
    run = train(configure(tiny_sd, pictures, tmp_path, *settings, f"prior={prior}", *count))
    assert [row["loss/instance"] for row in metrics(run)] == pytest.approx(losses(plain), rel=1e-3)
    torch.testing.assert_close(learned(run), learned(plain), rtol=0.1, atol=0.05)


def test_losses_in_bfloat16_are_near_those_of_float32(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    settings = [*SETTINGS, "method.lr=1e-2"]
    exact = train(configure(tiny_sd, pictures, tmp_path, *settings))
    rounded = train(configure(tiny_sd, pictures, tmp_path, *settings, "hparams.precision=bf16-mixed"))
    assert losses(rounded) != losses(exact)
    assert losses(rounded) == pytest.approx(losses(exact), rel=0.03)


def test_gradient_checkpointing_changes_no_loss(
    tiny_sd: Path, pictures: Path, tmp_path: Path, finished: Callable[..., Run]
) -> None:
    settings = [*SETTINGS, "hparams.batch_size=2"]
    plain = finished(*settings)
    less = train(configure(tiny_sd, pictures, tmp_path, *settings, "trainer.gradient_checkpointing=true"))
    assert losses(less) == near(losses(plain))
    torch.testing.assert_close(learned(less), learned(plain), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    settings = [*SETTINGS, *SAMPLES, "hparams.batch_size=2", "method.lr=1e-2"]
    for name, more in (("one", []), ("two", ["trainer=ddp", "trainer.accelerator=cpu", "trainer.checkpoint_every=2"])):
        command = ["train", *overrides(tiny_sd, pictures, tmp_path / name, *settings, *more)]
        subprocess.run([sys.executable, "-m", "imprint.cli", *command], check=True, timeout=300)
    one, two = only_run(tmp_path / "one"), only_run(tmp_path / "two")
    assert one.folder.name == two.folder.name
    assert losses(two) == near(losses(one))
    torch.testing.assert_close(learned(two), learned(one), rtol=1e-3, atol=1e-4)


class TestPictures:
    @pytest.fixture(scope="class", params=[1, 3])
    def run(
        self, request: pytest.FixtureRequest, tiny_sd: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> Run:
        settings = [*SETTINGS, *SAMPLES, f"method.vectors={request.param}", "hparams.ema=0.5"]
        return train(configure(tiny_sd, pictures, tmp_path_factory.mktemp("runs"), *settings))

    def test_the_first_samples_are_those_of_the_start_and_the_last_those_of_the_result(
        self, run: Run, tmp_path: Path
    ) -> None:
        first, last = (sampled(run, step) for step in (0, 6))
        if learned(run).shape[0] == 1:  # the class noun's own
            assert distance(first[:1], first[1:]) == 0
        assert distance(first[1:], last[1:]) == 0
        assert distance(first[:1], last[:1]) > 5 * ROUNDING
        assert distance(generated(run, tmp_path), last) <= ROUNDING

    def test_the_first_samples_are_the_same_every_time(
        self, run: Run, tiny_sd: Path, pictures: Path, tmp_path: Path
    ) -> None:
        again = [*SETTINGS, *SAMPLES, f"method.vectors={len(learned(run))}", "hparams.steps=1"]
        assert distance(sampled(train(configure(tiny_sd, pictures, tmp_path, *again)), 0), sampled(run, 0)) == 0

    def test_the_stock_library_draws_the_result(self, run: Run, tiny_sd: Path, tmp_path: Path) -> None:
        pipeline = stock(tiny_sd)
        pipeline.load_textual_inversion(str(run.result))
        assert distance(by_the_library(pipeline, SAMPLED, [7]), generated(run, tmp_path, *PLAIN)) <= CLOSE

    def test_the_exports_draw_the_same(self, run: Run, tiny_sd: Path, tmp_path: Path) -> None:
        expected = generated(run, tmp_path / "pictures", *PLAIN)
        folder = export(compose("export", [f"run={run.folder}", "dtype=float32", "format=pipeline"]))
        assert distance(by_the_library(stock(folder), SAMPLED, [7]), expected) <= CLOSE
        file = export(compose("export", [f"run={run.folder}", "dtype=float32", "format=embedding"]))
        pipeline = stock(tiny_sd)
        pipeline.load_textual_inversion(str(file), token="<dog>")
        assert distance(by_the_library(pipeline, SAMPLED, [7]), expected) <= CLOSE

    def test_one_file_is_refused(self, run: Run) -> None:
        with pytest.raises(UserError, match="format='single_file'.*<dog>.*format=pipeline"):
            export(compose("export", [f"run={run.folder}", "format=single_file"]))

    def test_a_strength_is_refused(self, run: Run) -> None:
        with pytest.raises(UserError, match=r"scale\.text=0\.5.*Leave it at 1"):
            generate(compose("generate", [f"run={run.folder}", "scale.text=0.5"]))

    def test_the_card_shows_the_word(self, run: Run) -> None:
        card = (run.result / "README.md").read_text(encoding="utf-8")
        assert "# \\<dog\\> dog" in card
        assert "pipeline(prompt='a photo of <dog>')" in card


def sampled(run: Run, step: int) -> list[Image.Image]:
    return [Image.open(file) for file in sorted((run.samples / f"step-{step:06d}").glob("*.png"))]


def generated(run: Run, folder: Path, *settings: str) -> list[Image.Image]:
    prompt = "prompt=['a photo of {identifier}','a photo of {noun}']"
    generate(compose("generate", [f"run={run.folder}", f"outputs={folder}", prompt, "seeds=[7]", *settings]))
    index = json.loads((folder / "pictures.json").read_text(encoding="utf-8"))["pictures"]
    return [Image.open(folder / entry["file"]) for entry in index]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (["dataset.identifier=sks"], ["dataset.identifier='sks'", "knows sks already"]),
        (["method.vectors=0"], ["method.vectors=0"]),
        (["method.start=gruffalo"], ["method.start='gruffalo'", "no token for gruffalo"]),
        (["method.start=gruffalo", "dataset.identifier=dog"], ["method.start", "dataset.identifier"]),
        (["method.norm=-1"], ["method.norm=-1"]),
    ],
)
def test_a_mistake_is_told_before_anything_is_loaded(
    settings: Sequence[str], expected: Sequence[str], tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as caught:
        prepare(configure(tiny_sd, pictures, tmp_path, *SETTINGS, *settings))
    assert all(part in str(caught.value) for part in expected)


def test_sets_of_captions_are_a_choice(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    for name, expected in (("object", "a photo of <dog>"), ("style", "in the style of <dog>"), ("face", "portrait")):
        plan = prepare(configure(tiny_sd, pictures, tmp_path, *SETTINGS, f"method/templates={name}"))
        captions = plan.parts.method.captions(plan.concepts[0])
        assert len(set(captions)) == len(captions) >= 20
        assert any(expected in caption for caption in captions)
