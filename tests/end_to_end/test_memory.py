"""What is not needed is not in memory, and what a run makes is the same to the last bit."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from composed import compose
from drawing import distance
from families import FAMILIES
from results import drawn
from small_runs import configure, metrics, only_run
from torch import nn

from imprint.errors import UserError
from imprint.launching.forecast import forecast
from imprint.models.base import Model, ModelSource
from imprint.models.loading import Loading
from imprint.models.pipeline import PipelineModel
from imprint.models.source import PipelineSource
from imprint.results.load import trained_model
from imprint.runs import Run
from imprint.training.callbacks import FiniteLoss
from imprint.training.module import TrainingModule
from imprint.verbs.evaluate import evaluate
from imprint.verbs.train import train

BF16 = "hparams.precision=bf16-mixed"
GO = "trainer.keep_parts=needed"
LORA = ["method=lora", "method.rank=2", "hparams.steps=4"]
SAMPLES = ["samples=default", "samples.every=2", "samples.prompts=[a sks dog]", "samples.seeds=[0]"]
PRIOR = ["prior=generated", "prior.count=2"]
TEACHER = ["prior=base_prediction"]
DROPOUT = "dataset.caption_dropout=0.5"
THOROUGHLY = ("sd", "sdxl", "flux")
LESSONS = {
    "lora": [*LORA, DROPOUT, *PRIOR, *SAMPLES],
    "teacher": [*LORA, *TEACHER, "hparams.ema=0.5"],
    "dreambooth": ["hparams.steps=2", DROPOUT],
}


def made(run: Run) -> Mapping[str, bytes]:
    """All that a run leaves, but for what tells of its time, its settings and its machine."""
    kept = [*run.result.rglob("*"), *run.samples.rglob("*.png"), *run.progress.rglob("*")]
    return {str(file.relative_to(run.folder)): file.read_bytes() for file in kept if file.is_file()}


def agree(one: Run, other: Run) -> None:
    assert one.folder.name == other.folder.name
    assert metrics(one) == metrics(other)
    ours, theirs = made(one), made(other)
    assert ours.keys() == theirs.keys()
    assert [name for name, content in ours.items() if content != theirs[name]] == []


@contextmanager
def cast_after_loading(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """All is loaded in float32, as by a source that knows no other way."""

    def load_as(self: PipelineSource, loading: Loading) -> Model:
        return ModelSource.load_as(self, loading)

    with patch.context() as within:
        within.setattr(PipelineSource, "load_as", load_as)
        yield


@pytest.mark.parametrize(
    "settings",
    [
        [*LORA, "method.roles=[denoiser,text]", DROPOUT, *PRIOR],
        [*LORA, "method.use_dora=true"],
        [*LORA, *TEACHER],
        ["method=loha", "method.rank=2", "hparams.steps=2"],
        ["method=lokr", "method.rank=2", "hparams.steps=2"],
        ["method=dylora", "method.rank=2", "hparams.steps=2"],
        ["method=pivotal", "dataset.identifier=auto", "method.network.rank=2", "hparams.steps=4"],
        ["method=textual_inversion", "dataset.identifier=auto", "hparams.steps=2"],
        ["method=dreambooth", "hparams.steps=2", *PRIOR],
    ],
    ids=lambda settings: " ".join(settings[:2]),
)
def test_loading_in_bfloat16_changes_nothing(
    settings: list[str], tiny_flux: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = train(configure(tiny_flux, pictures, tmp_path / "ours", BF16, *settings))
    with cast_after_loading(monkeypatch):
        theirs = train(configure(tiny_flux, pictures, tmp_path / "theirs", BF16, *settings))
    agree(ours, theirs)


@pytest.mark.parametrize(
    ("choice", "lesson", "precision"),
    [
        # An upscaler draws no pictures of a class.
        *((choice, "teacher" if "image" in own.drawing else "lora", BF16) for choice, own in FAMILIES.items()),
        *((choice, "lora", "hparams.precision='32'") for choice in THOROUGHLY),
        *((choice, lesson, BF16) for choice in THOROUGHLY for lesson in ("teacher", "dreambooth")),
        ("sdxl", "teacher", "hparams.precision='32'"),
        ("sd", "dreambooth", "hparams.precision='32'"),
    ],
)
def test_letting_go_changes_nothing(
    choice: str, lesson: str, precision: str, tiny_folder: Callable[[str], Path], pictures: Path, tmp_path: Path
) -> None:
    settings = [f"method={lesson if lesson == 'dreambooth' else 'lora'}", precision, *LESSONS[lesson]]
    whole, least = (
        train(configure(tiny_folder(choice), pictures, tmp_path / name, *settings, *more))
        for name, more in {"whole": [], "least": [GO]}.items()
    )
    agree(whole, least)


@pytest.mark.parametrize("settings", [[BF16], [BF16, GO], [GO]], ids=["bf16", "both", "let go"])
def test_class_pictures_that_are_not_there_yet_are_those_of_a_run_that_keeps_all(
    settings: list[str], tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trained(name: str, *more: str) -> tuple[Run, dict[str, bytes]]:
        cache = tmp_path / f"cache-{name}"
        monkeypatch.setenv("IMPRINT_CACHE", str(cache))
        run = train(configure(tiny_sd, pictures, tmp_path / name, *LORA, *PRIOR, *more))
        files = (cache / "class_images").rglob("*.png")
        return run, {str(file.relative_to(cache)): file.read_bytes() for file in files}

    ours, drawn_here = trained("ours", *settings)
    with cast_after_loading(monkeypatch):
        theirs, drawn_there = trained("theirs", *(one for one in settings if one != GO))
    assert len(drawn_here) == 2
    assert drawn_here == drawn_there
    agree(ours, theirs)


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, bool]]:
    """Of each step: which parts were in memory."""
    steps: list[dict[str, bool]] = []
    before = TrainingModule.training_step

    def step(self: TrainingModule, *arguments: Any) -> Any:
        model: Any = self.model
        steps.append({name: not is_absent(part) for name, part in model.parts.items()})
        return before(self, *arguments)

    monkeypatch.setattr(TrainingModule, "training_step", step)
    return steps


def is_absent(part: nn.Module) -> bool:
    weights = list(part.parameters())
    assert len({weight.is_meta for weight in weights}) == 1
    return weights[0].is_meta


ALONE = {"transformer": True, "vae": False, "text_encoder": False, "text_encoder_2": False}


def test_only_the_denoiser_is_there_while_it_trains(
    seen: list[dict[str, bool]], tiny_flux: Path, pictures: Path, tmp_path: Path
) -> None:
    train(configure(tiny_flux, pictures, tmp_path, GO, *LORA, *PRIOR, *SAMPLES))
    assert seen == [ALONE] * 4


def test_no_more_than_the_encoders_is_read_before_they_have_gone(
    tiny_flux: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: list[set[str]] = []
    before = PipelineSource.load

    def load(self: PipelineSource) -> Any:
        model = before(self)
        there.append({name for name, part in model.parts.items() if not is_absent(part)})
        encode, of_texts = model.encode, model.encode_text

        def noted(call: Callable[..., Any]) -> Callable[..., Any]:
            def run(*arguments: Any, **keywords: Any) -> Any:
                there.append({name for name, part in model.parts.items() if not is_absent(part)})
                return call(*arguments, **keywords)

            return run

        model.encode, model.encode_text = noted(encode), noted(of_texts)  # type: ignore[method-assign]
        return model

    monkeypatch.setattr(PipelineSource, "load", load)
    train(configure(tiny_flux, pictures, tmp_path, GO, *LORA))
    assert there[0] == {"text_encoder", "text_encoder_2"}
    assert {frozenset(parts) for parts in there} == {frozenset({"text_encoder", "text_encoder_2"}), frozenset({"vae"})}


@pytest.mark.parametrize(
    ("settings", "stay"),
    [
        (["method=lora", "method.roles=[denoiser,text]"], {"text_encoder", "text_encoder_2"}),
        (["method=textual_inversion", "dataset.identifier=auto"], {"text_encoder", "text_encoder_2"}),
        (["method=lora", "dataset.crop=random"], {"vae"}),
        (["method=lora", "trainer.cache=false"], {"vae"}),
    ],
    ids=["adapter", "word", "crops", "no cache"],
)
def test_what_every_step_needs_stays_and_the_plan_says_so(
    settings: list[str], stay: set[str], seen: list[dict[str, bool]], tiny_flux: Path, pictures: Path, tmp_path: Path
) -> None:
    cfg = configure(tiny_flux, pictures, tmp_path, GO, "hparams.steps=2", *settings)
    [line] = [line for line in forecast(cfg) if line.startswith("In memory")]
    train(cfg)
    assert seen == [{name: name in {*stay, "transformer"} for name in ALONE}] * 2
    why = {
        "adapter": "changes with what learns in text.",
        "word": "changes with what learns in text, text_2.",
        "crops": "the autoencoder stays, since",
        "no cache": "the autoencoder stays, since trainer.cache=false.",
    }
    assert any(reason.lower() in line.lower() for reason in why.values()), line


def test_the_plan_says_what_is_in_memory_and_in_which_precision(
    tiny_flux: Path, pictures: Path, tmp_path: Path
) -> None:
    def told(*settings: str) -> str:
        [line] = [
            line
            for line in forecast(configure(tiny_flux, pictures, tmp_path, *settings))
            if line.startswith("In memory")
        ]
        return line

    assert told() == "In memory while it trains (float32): denoiser, text, text_2, autoencoder."
    assert told(BF16, GO, *LORA) == (
        "In memory while it trains (bfloat16, what learns in float32): denoiser. "
        "Read to encode, and let go: text, text_2, autoencoder."
    )
    assert "With several devices all parts stay." in told(GO, "trainer.devices=2", "hparams.batch_size=2")
    shared = ["trainer=fsdp", "hparams.batch_size=2"]
    assert told(*LORA, *shared).endswith("Each of 2 devices holds an equal part of denoiser, text, text_2.")
    assert told(GO, *LORA, *shared).endswith("Each of 2 devices holds an equal part of denoiser.")


class Stopped(Exception):
    """Stands for a crash."""


def test_a_run_that_stops_goes_on_as_if_it_had_not(
    tiny_flux: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = [BF16, GO, DROPOUT, *LORA, *PRIOR, *SAMPLES]
    whole = train(configure(tiny_flux, pictures, tmp_path / "whole", BF16, DROPOUT, *LORA, *PRIOR, *SAMPLES))

    def stop(self: Any, trainer: Any, module: Any, loss: Any) -> None:
        if trainer.global_step == 3:
            raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr(FiniteLoss, "on_before_backward", stop)
        with pytest.raises(Stopped):
            train(configure(tiny_flux, pictures, tmp_path / "parts", *settings))
    assert only_run(tmp_path / "parts").status == "failed"
    agree(whole, train(configure(tiny_flux, pictures, tmp_path / "parts", *settings)))


def test_points_of_a_sweep_that_let_go_are_loaded_for_themselves(
    tiny_flux: Path, pictures: Path, tmp_path: Path
) -> None:
    from imprint.batched_runs.grouping import groups
    from imprint.batched_runs.sequential_training import SequentialTraining
    from imprint.planning.prepare import prepare

    points = [configure(tiny_flux, pictures, tmp_path, GO, *LORA, f"seed={seed}") for seed in (0, 1)]
    plans = [prepare(point) for point in points]
    assert all(group.reason and "trainer.keep_parts" in group.reason for group in groups(plans, None))
    sequential = SequentialTraining()
    assert [sequential.train(plan, cfg) for plan, cfg in zip(plans, points, strict=True)] == [None, None]
    alone = train(configure(tiny_flux, pictures, tmp_path / "alone", *LORA, "seed=1"))
    agree(plans[1].run, alone)


def test_an_unknown_choice_is_refused(tiny_flux: Path, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"trainer\.keep_parts"):
        train(configure(tiny_flux, pictures, tmp_path, "trainer.keep_parts=some"))


@pytest.mark.parametrize(
    "lesson", [["method=lora", "method.lr=3e-2"], ["method=dreambooth"]], ids=["lora", "dreambooth"]
)
def test_pictures_can_be_drawn_with_weights_of_half_the_size(
    lesson: list[str], tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = train(configure(tiny_sd, pictures, tmp_path / "runs", *lesson))
    types: list[set[Any]] = []
    before = PipelineModel.generate

    def generate(self: Any, *arguments: Any, **keywords: Any) -> Any:
        types.append({weight.dtype for name, weight in self.named_parameters() if ".lora_" not in name})
        return before(self, *arguments, **keywords)

    monkeypatch.setattr(PipelineModel, "generate", generate)
    exact = drawn([run], tmp_path / "pictures")
    both = drawn([run], tmp_path / "pictures", "precision=bf16")
    assert len(both) == 2 * len(exact)  # others, beside those that were there
    assert types[0] == {torch.float32}
    assert types[-1] == {torch.bfloat16}
    assert 0 < distance(exact, both[len(exact) :]) < 60


def test_a_strength_is_applied_in_full_precision(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    run = train(configure(tiny_sd, pictures, tmp_path / "runs", "method=lora", "method.lr=3e-2"))
    rounded = Loading(dtype=torch.bfloat16, exact=frozenset(), absent=frozenset(), device=None)
    ours = trained_model(run, scale={"denoiser": 0.5}, loading=rounded).model
    theirs = trained_model(run, scale={"denoiser": 0.5}).model
    theirs.cast_frozen(torch.bfloat16)
    for (name, weight), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert torch.equal(weight, other), name


def test_an_evaluation_can_draw_so_too(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    """Its pictures lie beside those of other precisions."""
    run = train(configure(tiny_sd, pictures, tmp_path, "+encoders@model.encoders=mini", "hparams.steps=1"))
    few = ["evaluation.pictures.subject.images=1", "evaluation.pictures.subject.numbers=[0,1]"]
    profile = [f"run={run.folder}", "evaluation=oft", "evaluation.rows=[prompt_only]", "accelerator=cpu", *few]
    for precision in ("'32'", "bf16"):
        evaluate(compose("evaluate", [*profile, f"evaluation.precision={precision}"]))
    assert len(list((run.folder / "pictures").glob("*/pictures.json"))) == 2
