"""Runs are scored, on tiny models and by the miniature's judges."""

import csv
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import pytest
import torch
from composed import compose
from PIL import Image
from small_runs import SETTINGS, composed_profile, configure, draw_pictures
from tiny import tiny_pipeline

from imprint.errors import UserError
from imprint.evaluation.profile import Profile
from imprint.evaluation.score_sheet import ScoreSheet
from imprint.models.families.sd import StableDiffusion
from imprint.results.load import trained_model
from imprint.runs import Run
from imprint.scoring.live import LiveScorer
from imprint.scoring.score import finished_scores, score_run
from imprint.verbs.train import train

SMALL = ("evaluation.pictures.subject.numbers=[0,20]", "evaluation.pictures.subject.images=2")


def profile(*settings: str, name: str = "oft") -> Profile:
    return composed_profile(name, *SMALL, "evaluation.averaging=macro", *settings)


@pytest.fixture(scope="module")
def trained(tiny_sd: Path, pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Run]:
    """A finished run that no other test has scored."""
    runs: dict[tuple[str, ...], Run] = {}

    def run(*settings: str) -> Run:
        if settings not in runs:
            outputs = tmp_path_factory.mktemp("runs")
            cfg = configure(tiny_sd, pictures, outputs, "+encoders@model.encoders=mini", "hparams.steps=1", *settings)
            runs[settings] = train(cfg)
        fresh = tmp_path_factory.mktemp("fresh") / runs[settings].folder.name
        shutil.copytree(runs[settings].folder, fresh)
        return Run(fresh)

    return run


@pytest.fixture(scope="module")
def other_sd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pipeline(tmp_path_factory.mktemp("other") / "model", seed=1)


@pytest.fixture(autouse=True)
def own_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No untuned pictures of another test."""
    monkeypatch.setenv("IMPRINT_CACHE", str(tmp_path / "cache"))


class Drawn:
    """What the models were asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.prompts: list[str] = []
        self.seeds: list[int] = []
        generate = StableDiffusion.generate

        def watched(
            model: StableDiffusion, prompts: Sequence[str], seeds: Sequence[int], **settings: Any
        ) -> list[Image.Image]:
            self.prompts += prompts
            self.seeds += seeds
            return self.change(prompts, generate(model, prompts, seeds, **settings))

        monkeypatch.setattr(StableDiffusion, "generate", watched)

    def change(self, prompts: Sequence[str], pictures: list[Image.Image]) -> list[Image.Image]:
        return pictures

    def clear(self) -> None:
        self.prompts.clear()
        self.seeds.clear()


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    return Drawn(monkeypatch)


def sheet_of(run: Run, chosen: Profile, **settings: Any) -> ScoreSheet:
    [file] = score_run(run, chosen, accelerator="cpu", **settings)
    return ScoreSheet.read(file)


def test_a_sheet_has_all_rows_with_the_metrics_that_mean_something_of_them(trained: Callable[..., Run]) -> None:
    run = trained()
    sheet = sheet_of(run, profile())
    every = {"dino", "clip_i", "clip_t"}
    assert {row: set(scores) for row, scores in sheet.rows.items()} == {
        "tuned": every,
        "untuned": every,
        "prompt_only": every,
        "real": {"dino", "clip_i"},
        "copies": every,
    }
    assert (sheet.method, sheet.noun, sheet.seed, sheet.step) == ("dreambooth", "dog", 0, 1)
    assert sheet.settings["method.lr"] == pytest.approx(1e-3)
    assert sheet.pictures["tuned"].drawn == sheet.pictures["tuned"].asked == 4
    assert len(sheet.rows["tuned"]["dino"].values) == 4
    assert set(sheet.rows["tuned"]["dino"].by_category) == {"recontextualisation", "property"}
    assert sheet.metrics["dino"].encoders["dino"]["name"] == "miniature ViT"
    # a photo is not compared with itself, a copy of it is
    assert sheet.rows["copies"]["dino"].mean > sheet.rows["real"]["dino"].mean


def test_the_model_card_gets_the_scores_and_keeps_what_was_edited(trained: Callable[..., Run]) -> None:
    run = trained()
    card = run.result / "README.md"
    card.write_text(card.read_text(encoding="utf-8") + "\nMy own words.\n", encoding="utf-8")
    assert "was not measured" in card.read_text(encoding="utf-8")
    chosen = profile("+metric@evaluation.metrics.memorisation=memorisation")
    for _ in range(2):
        sheet = sheet_of(run, chosen)
        text = card.read_text(encoding="utf-8")
        for metric in ("dino", "memorisation"):
            assert f"| {metric} | {sheet.rows['tuned'][metric].mean:.3f} |" in text
        assert text.count("## Scores") == 1
        assert text.endswith("\nMy own words.\n")
        assert "was not measured" not in text
    assert run.read().result_files["README.md"] == card.stat().st_size


def test_the_manifest_and_the_spreadsheet_have_the_same_numbers(trained: Callable[..., Run]) -> None:
    run = trained()
    [file] = score_run(run, profile(), accelerator="cpu")
    sheet = ScoreSheet.read(file)
    [(stem, noted)] = run.read().scores.items()
    assert run.folder / noted.file == file == run.folder / "scores" / f"{stem}.json"
    assert noted.means["dino"] == sheet.rows["tuned"]["dino"].mean
    lines = list(csv.DictReader(file.with_suffix(".csv").read_text(encoding="utf-8").splitlines()))
    told = [float(line["value"]) for line in lines if (line["row"], line["metric"]) == ("tuned", "dino")]
    assert told == [value.value for value in sheet.rows["tuned"]["dino"].values]
    assert {line["prompt"] for line in lines if line["row"] == "tuned"} == {
        "a {identifier} {noun} in the jungle",
        "a red {identifier} {noun}",
    }


def test_all_methods_and_rows_draw_the_same_prompt_with_the_same_noise(
    trained: Callable[..., Run], drawn: Drawn
) -> None:
    seeds = []
    for settings in ((), ("method=lora",)):
        drawn.clear()
        sheet_of(trained(*settings), profile())
        by_prompt = dict(zip(drawn.prompts, drawn.seeds, strict=True))
        jungle = {prompt: seed for prompt, seed in by_prompt.items() if "jungle" in prompt}
        seeds.append(set(jungle.values()))
    assert len(set.union(*seeds)) == 1


def test_the_untuned_models_pictures_are_drawn_once_for_all_runs(trained: Callable[..., Run], drawn: Drawn) -> None:
    sheet_of(trained(), profile())
    first = len(drawn.prompts)
    drawn.clear()
    sheet_of(trained("method=lora"), profile())
    assert (first, len(drawn.prompts)) == (12, 4)
    assert all("sks" in prompt for prompt in drawn.prompts)


def test_what_each_row_is_told(trained: Callable[..., Run], drawn: Drawn) -> None:
    run = trained("dataset.identifier=sks")
    sheet_of(run, profile("evaluation.pictures.subject.images=1", "evaluation.pictures.subject.numbers=[0]"))
    assert drawn.prompts == ["a sks dog in the jungle", "a xjf dog in the jungle", "a dog in the jungle"]


def test_batches_change_a_picture_by_rounding_alone(trained: Callable[..., Run]) -> None:
    runs = trained(), trained()
    for run, size in zip(runs, (1, 5), strict=True):
        sheet_of(run, profile(f"evaluation.batch_size={size}", "evaluation.rows=[]"))
    alone, together = (_pixels(run) for run in runs)
    assert alone.keys() == together.keys()
    for name, pixels in alone.items():
        assert np.abs(pixels - together[name]).max() <= 1


def test_a_metric_more_draws_nothing(
    trained: Callable[..., Run], drawn: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained()
    before = sheet_of(run, profile())
    drawn.clear()
    monkeypatch.setattr(StableDiffusion, "__init__", _unwanted)
    after = sheet_of(run, profile("+metric@evaluation.metrics.vendi=vendi"))
    assert not drawn.prompts
    assert "vendi" in after.rows["tuned"]
    assert after.metrics["dino"] == before.metrics["dino"]
    assert len(run.read().scores) == 2


def test_two_methods_numbers_are_comparable(trained: Callable[..., Run]) -> None:
    chosen = profile("evaluation.rows=[]", "evaluation.pictures.subject.images=1")
    one, other = (sheet_of(trained(*settings), chosen) for settings in ((), ("method=lora",)))
    assert one.metrics == other.metrics
    assert one.sampling == other.sampling


def test_another_strength_is_another_sheet_of_comparable_numbers(trained: Callable[..., Run], drawn: Drawn) -> None:
    run, chosen = trained("method=lora"), profile("evaluation.rows=[]")
    whole = sheet_of(run, chosen)
    drawn.clear()
    half = sheet_of(run, chosen, scale={"denoiser": 0.5, "text": 1.0})
    assert len(drawn.prompts) == 4
    assert half.sampling != whole.sampling
    assert half.metrics["dino"].fingerprint == whole.metrics["dino"].fingerprint
    assert half.settings["scale.denoiser"] == 0.5


def test_in_another_model_floors_are_of_that_one(
    trained: Callable[..., Run], drawn: Drawn, other_sd: Path, tmp_path: Path
) -> None:
    run, there = trained("method=lora"), trained("method=lora", f"model.source={other_sd}")
    chosen = profile("evaluation.rows=[untuned]")
    own = sheet_of(run, chosen)
    moved = sheet_of(run, chosen, base=str(other_sd))
    assert moved.sampling != own.sampling
    assert moved.metrics == own.metrics
    assert moved.settings["base"] == str(other_sd)
    for row in ("tuned", "untuned"):
        assert moved.rows[row]["dino"].values != own.rows[row]["dino"].values
    assert len(run.read().scores) == 2
    drawn.clear()
    native = sheet_of(there, chosen)
    assert len(drawn.prompts) == 4  # the untuned model's are there
    assert native.rows["untuned"]["dino"].mean == moved.rows["untuned"]["dino"].mean


def test_a_base_of_another_kind_is_refused_before_anything_is_drawn(
    trained: Callable[..., Run], drawn: Drawn, tiny_sd_v: Path
) -> None:
    with pytest.raises(UserError, match="base=.*does not fit"):
        score_run(trained("method=lora"), profile(), accelerator="cpu", base=str(tiny_sd_v))
    assert not drawn.prompts


class TestSeveralSubjects:
    @pytest.fixture(scope="class")
    def joint(self, tiny_sd: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
        """A dog and a cat, whose folders are called alike."""
        outputs = tmp_path_factory.mktemp("runs")
        given = [setting for setting in SETTINGS if not setting.startswith("dataset")]
        given += [f"model.source={tiny_sd}", f"outputs={outputs}", "dataset=joint", "hparams.steps=1"]
        for name, noun, word in (("a", "dog", "sks"), ("b", "cat", "ktn")):
            photos = draw_pictures(outputs / name / "photos", size=(40 + 8 * len(noun), 40 + ord(name) % 2 * 8))
            key = f"dataset.subjects.{name}"
            given += [f"+dataset@{key}=folder", f"{key}.path={photos}", f"{key}.class_noun={noun}"]
            given += [f"{key}.identifier={word}"]
        return train(compose("train", [*given, "+encoders@model.encoders=mini"]))

    def test_each_has_a_sheet(self, joint: Run, drawn: Drawn) -> None:
        chosen = profile("evaluation.rows=[untuned,real]")
        assert not finished_scores(joint, chosen, accelerator="cpu")
        files = score_run(joint, chosen, accelerator="cpu")
        sheets = [ScoreSheet.read(file) for file in files]
        assert [file.name.rsplit("-", 1)[0] for file in files] == ["oft-a", "oft-b"]
        assert [sheet.noun for sheet in sheets] == ["dog", "cat"]
        assert [sheet.subject for sheet in sheets] == ["photos (a)", "photos (b)"]
        for words in ("sks dog", "ktn cat", "xjf dog", "xjf cat"):
            assert sum(words in prompt for prompt in drawn.prompts) == 4
        assert sheets[0].rows["tuned"]["dino"].values != sheets[1].rows["tuned"]["dino"].values
        assert sheets[0].metrics == sheets[1].metrics
        assert finished_scores(joint, chosen, accelerator="cpu") == files
        noted = {name: note.model_dump(exclude_unset=True) for name, note in joint.read().scores.items()}
        assert len(noted) == 2
        joint.note({"scores": {files[0].stem: noted[files[0].stem]}})
        assert not finished_scores(joint, chosen, accelerator="cpu"), "a program may be killed before the entry"
        joint.note({"scores": noted})
        files[1].unlink()
        assert not finished_scores(joint, chosen, accelerator="cpu")

    def test_a_look_on_the_way_is_their_mean(self, joint: Run) -> None:
        chosen = profile("evaluation.rows=[]")
        sheets = [ScoreSheet.read(file) for file in score_run(joint, chosen, accelerator="cpu")]
        scorer = LiveScorer(joint, chosen, torch.device("cpu"))
        looks = scorer.score(trained_model(joint, scale={}).model, 1)
        for name, look in looks.items():
            assert look.mean == pytest.approx(fmean(sheet.rows["tuned"][name].mean for sheet in sheets), abs=1e-4)
        assert looks.keys() == sheets[0].rows["tuned"].keys()


def test_blank_and_failed_pictures_are_counted(
    trained: Callable[..., Run], drawn: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoilt(prompts: Sequence[str], pictures: list[Image.Image]) -> list[Image.Image]:
        if any("red" in prompt for prompt in prompts):
            raise RuntimeError("out of paint")
        return [Image.new("RGB", pictures[0].size), *pictures[1:]]

    monkeypatch.setattr(drawn, "change", spoilt)
    run = trained()
    sheet = sheet_of(run, profile("evaluation.rows=[real]", "evaluation.batch_size=2"))
    count = sheet.pictures["tuned"]
    assert (count.asked, count.drawn, count.blank, count.failed) == (4, 1, 1, 2)
    assert len(sheet.rows["tuned"]["dino"].values) == 1


def test_what_one_metric_lacks_is_noted_and_the_others_are_measured(
    trained: Callable[..., Run], drawn: Drawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    blank_first = lambda prompts, pictures: [Image.new("RGB", pictures[0].size), *pictures[1:]]  # noqa: E731
    monkeypatch.setattr(drawn, "change", blank_first)
    chosen = profile("+metric@evaluation.metrics.div=div_features", "evaluation.batch_size=4", "evaluation.rows=[]")
    sheet = sheet_of(trained(), chosen)
    assert set(sheet.rows["tuned"]) == {"dino", "clip_i", "clip_t"}
    assert any("div could not be measured" in note for note in sheet.notes)


def test_held_out_photos_are_judged_against_but_never_copied(trained: Callable[..., Run]) -> None:
    chosen = profile("+metric@evaluation.metrics.overfit=overfit", "evaluation.rows=[copies]")
    sheet = sheet_of(trained("dataset.holdout=1"), chosen)
    assert "overfit" in sheet.rows["tuned"]
    assert sheet.rows["copies"]["overfit"].mean > 0


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["evaluation.size=[33,32]"], "evaluation.size=[33, 32]"),
        (["evaluation.sampler.scheduler=DDMScheduler"], "DDIMScheduler"),
        (["evaluation.metrics.dino.encoder=dinov9"], "dinov9"),
        (["+metric@evaluation.metrics.overfit=overfit"], "dataset.holdout"),
        (["~evaluation.pictures.subject.prompts.object"], "no prompt for"),
    ],
)
def test_what_stands_in_the_way_is_said_before_anything_is_drawn(
    settings: list[str], said: str, trained: Callable[..., Run], drawn: Drawn
) -> None:
    with pytest.raises(UserError) as caught:
        score_run(trained(), profile(*settings), accelerator="cpu")
    assert said in str(caught.value)
    assert not drawn.prompts


def test_photos_that_have_changed_are_no_references(
    trained: Callable[..., Run], drawn: Drawn, pictures: Path, tmp_path: Path
) -> None:
    shutil.copytree(pictures, tmp_path / "photos")
    run = trained(f"dataset.path={tmp_path / 'photos'}")
    (tmp_path / "photos" / "0.png").unlink()
    with pytest.raises(UserError, match="not the pictures any more"):
        score_run(run, profile(), accelerator="cpu")
    assert not drawn.prompts


def test_the_users_random_numbers_are_left_alone(trained: Callable[..., Run]) -> None:
    torch.manual_seed(3)
    expected = torch.get_rng_state()
    sheet_of(trained(), profile("evaluation.rows=[]"))
    assert torch.equal(torch.get_rng_state(), expected)


def _unwanted(*_: Any, **__: Any) -> None:
    raise AssertionError("no model is needed")


def _pixels(run: Run) -> dict[str, np.ndarray]:
    files = sorted((run.folder / "pictures").glob("*/*.png"))
    return {file.name: np.asarray(Image.open(file), dtype=int) for file in files}
