"""imprint generate with an upscaler: of what a run draws, and of pictures that are given."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from composed import compose
from drawing import FACTOR, ROUNDING, distance, low_picture, stock
from PIL import Image
from small_runs import composed_profile, configure, draw_pictures
from tiny import RESOLUTION

import imprint
from imprint.command_line import as_overrides
from imprint.errors import ConfigError, UserError
from imprint.evaluation.pairs import view_of
from imprint.evaluation.score_sheet import ScoreSheet, table_of_means
from imprint.planning.prepare import prepare
from imprint.provenance.base import result_hash
from imprint.provenance.marks import read_marks
from imprint.reporting.scoreboard.grouping import entries
from imprint.runs import Run
from imprint.scoring.galleries import galleries_of
from imprint.scoring.score_sheets import meaning
from imprint.scoring.subject import EvaluationSubject, open_subjects
from imprint.seeds import seed_of
from imprint.verbs.adopt import adopt
from imprint.verbs.evaluate import evaluate
from imprint.verbs.generate import generate
from imprint.verbs.report import write_report
from imprint.verbs.train import train

FIXED = ["steps=2", "scheduler=model", "accelerator=cpu", "upscaler.steps=2"]
LARGE = RESOLUTION * FACTOR


@pytest.fixture(scope="module")
def base(finished: Callable[..., Run]) -> Run:
    return finished("method=lora", "method.lr=1e-2")


@pytest.fixture(scope="module")
def upscaler(tiny_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Its word is another than the base's."""
    pictures = draw_pictures(tmp_path_factory.mktemp("large") / "subject", 2)
    settings = ["method=lora", "method.lr=1e-2", "dataset.identifier=olis", "hparams.steps=2"]
    return train(configure(tiny_folder("sd_upscaler"), pictures, tmp_path_factory.mktemp("runs"), *settings))


def drawn(run: Run, folder: Path, *settings: str) -> list[dict[str, Any]]:
    """What the index says of the pictures that were asked for, and of low ones."""
    generate(compose("generate", [f"run={run.folder}", f"outputs={folder}", *FIXED, *settings]))
    pictures: list[dict[str, Any]] = json.loads((folder / "pictures.json").read_text(encoding="utf-8"))["pictures"]
    return pictures


def opened(file: Path) -> Image.Image:
    with Image.open(file) as picture:
        return picture.convert("RGB")


class TestOfWhatARunDraws:
    @pytest.fixture(scope="class")
    def chained(
        self, base: Run, upscaler: Run, tmp_path_factory: pytest.TempPathFactory
    ) -> tuple[Path, list[dict[str, Any]]]:
        folder = tmp_path_factory.mktemp("chained")
        return folder, drawn(base, folder, f"upscaler.run={upscaler.folder}", "seeds=[0,1]", "prompt='a sks dog'")

    def test_the_low_picture_lies_beside_and_both_runs_are_named(
        self, chained: tuple[Path, list[dict[str, Any]]], base: Run, upscaler: Run
    ) -> None:
        folder, pictures = chained
        large = [entry for entry in pictures if "upscaler" in entry]
        assert [entry["seed"] for entry in large] == [0, 1]
        for entry in large:
            assert opened(folder / entry["file"]).size == (LARGE, LARGE)
            assert opened(folder / entry["low"]).size == (RESOLUTION, RESOLUTION)
            assert entry["low"].endswith("-low.png")
            assert entry["runs"] == [base.folder.name]
            assert entry["upscaler"]["run"] == upscaler.folder.name
            assert entry["upscaler"]["prompt"] == "a olis dog"
            marks = read_marks((folder / entry["file"]).read_bytes())
            assert set(marks.results) == {result_hash(run.result) for run in (base, upscaler)}
            assert marks.settings == ("upscaler.level=20",)

    def test_it_is_what_the_stock_pipeline_makes_of_the_low_picture(
        self, chained: tuple[Path, list[dict[str, Any]]], upscaler: Run, tiny_folder: Callable[[str], Path]
    ) -> None:
        folder, pictures = chained
        entry = next(entry for entry in pictures if "upscaler" in entry)
        pipeline = stock(tiny_folder("sd_upscaler"))
        pipeline.load_lora_weights(upscaler.result)
        pipeline.set_progress_bar_config(disable=True)
        theirs = pipeline(
            prompt="a olis dog",
            image=[opened(folder / entry["low"])],
            noise_level=20,
            num_inference_steps=2,
            guidance_scale=1.0,
            generator=torch.Generator().manual_seed(seed_of(entry["seed"], "upscale")),
        ).images
        assert distance([opened(folder / entry["file"])], theirs) <= ROUNDING + 1

    def test_the_low_picture_is_what_the_run_draws_without_it(
        self, chained: tuple[Path, list[dict[str, Any]]], base: Run, tmp_path: Path
    ) -> None:
        folder, pictures = chained
        lows = [opened(folder / entry["low"]) for entry in pictures if "upscaler" in entry]
        alone = drawn(base, tmp_path, "upscaler.steps=null", "seeds=[0,1]", "prompt='a sks dog'")
        assert distance(lows, [opened(tmp_path / entry["file"]) for entry in alone]) == 0

    def test_given_to_the_upscaler_by_itself_it_becomes_the_same(
        self, chained: tuple[Path, list[dict[str, Any]]], upscaler: Run, tmp_path: Path
    ) -> None:
        folder, pictures = chained
        entry = next(entry for entry in pictures if "upscaler" in entry)
        asked = [f"picture={folder / entry['low']}", "seeds=[0]", "prompt='a olis dog'", "guidance=1"]
        alone = [one for one in drawn(upscaler, tmp_path, *asked) if "upscaler" in one]
        assert len(alone) == 1
        assert alone[0]["picture"] == entry["low"]
        assert distance([opened(tmp_path / alone[0]["file"])], [opened(folder / entry["file"])]) == 0

    def test_a_program_gets_it_by_enlarge(self, chained: tuple[Path, list[dict[str, Any]]], upscaler: Run) -> None:
        folder, pictures = chained
        entry = next(entry for entry in pictures if "upscaler" in entry)
        file = folder / entry["low"]
        settings = {"steps": 2, "guidance": 1, "scheduler": "model", "device": "cpu"}
        run = imprint.open(upscaler.folder)
        by_file, by_picture = run.enlarge([file, opened(file)], "a {identifier} dog", seed=entry["seed"], **settings)
        assert distance([by_file, by_picture], [opened(folder / entry["file"])] * 2) == 0
        with pytest.raises(ConfigError, match=r"upscaler.level=9999"):
            run.enlarge(file, "a {identifier} dog", level=9999)
        with pytest.raises(ConfigError, match=r"size=\[0, 0\]: upscaler enlarges pictures whose sides"):
            run.enlarge(Image.new("RGB", (1, 1)), "a {identifier} dog")
        with pytest.raises(UserError, match="cannot be read as a picture"):
            run.enlarge(folder / "pictures.json", "a {identifier} dog")
        with pytest.raises(UserError, match="draws nothing from prompts"):
            run.generate("a {identifier} dog")

    def test_a_run_that_draws_from_prompts_says_that_it_does_not_enlarge(self, base: Run) -> None:
        with pytest.raises(ConfigError, match="this model draws from prompts"):
            imprint.open(base.folder).enlarge(Image.new("RGB", (64, 64)), "a dog")

    def test_a_level_or_an_untuned_upscaler_makes_another_of_the_same_low_picture_on_one_sheet(
        self, chained: tuple[Path, list[dict[str, Any]]], base: Run, upscaler: Run, tiny_folder: Callable[[str], Path]
    ) -> None:
        folder, before = chained
        sheet = folder / "upscaling" / "sheet.png"
        width = opened(sheet).width
        model = ["model@upscaler.model=sd_upscaler", f"upscaler.model.source={tiny_folder('sd_upscaler')}"]
        more = drawn(base, folder, *model, "upscaler.model.resolution=32", "seeds=[0]", "prompt='a sks dog'")
        [untuned] = [entry for entry in more if entry not in before]
        assert untuned["upscaler"]["prompt"] == "a dog"
        assert untuned["upscaler"]["level"] == 0
        first = next(entry for entry in before if "upscaler" in entry)
        assert untuned["low"] == first["low"]
        assert opened(sheet).width > width
        assert read_marks(sheet.read_bytes()).synthetic
        settings = [f"upscaler.run={upscaler.folder}", "upscaler.level=300", "seeds=[0]", "prompt='a sks dog'"]
        [noisy] = [entry for entry in drawn(base, folder, *settings) if entry not in more]
        assert distance([opened(folder / noisy["file"])], [opened(folder / first["file"])]) > 5 * ROUNDING

    def test_in_tiles(self, base: Run, upscaler: Run, tmp_path: Path) -> None:
        tiles = ["upscaler.tile=64", "upscaler.overlap=16", "upscaler.tile_batch=3"]
        pictures = drawn(base, tmp_path, f"upscaler.run={upscaler.folder}", "seeds=[0]", *tiles)
        entry = next(entry for entry in pictures if "upscaler" in entry)
        assert opened(tmp_path / entry["file"]).size == (LARGE, LARGE)
        assert (entry["upscaler"]["tile"], entry["upscaler"]["overlap"]) == (64, 16)


class TestOfGivenPictures:
    def test_all_of_a_folder_are_enlarged_in_their_own_shapes(self, upscaler: Run, tmp_path: Path) -> None:
        given = tmp_path / "given"
        given.mkdir()
        low_picture().save(given / "one.png")
        low_picture().resize((18, 9)).save(given / "two.png")
        pictures = drawn(upscaler, tmp_path / "out", f"picture={given}", "seeds=[0]")
        sizes = {
            entry["picture"]: opened(tmp_path / "out" / entry["file"]).size for entry in pictures if "upscaler" in entry
        }
        assert sizes == {"one.png": (32, 32), "two.png": (64, 32)}
        (tmp_path / "empty").mkdir()
        with pytest.raises(ConfigError, match=r"picture='.*empty': "):
            drawn(upscaler, tmp_path / "out", f"picture={tmp_path / 'empty'}")

    @pytest.mark.parametrize(
        ("settings", "reason"),
        [
            ([], r"picture=None: subject-lora-sd_upscaler-\w+ is the run of an upscaler"),
            (["picture=nowhere.png"], r"nowhere\.png': cannot be read as a picture"),
            (["picture=x.png", "hires=second_pass"], "as it is and by itself. Leave out hires"),
            (["picture=x.png", "upscaler.steps=3"], "steps=2: upscaler.steps=3 means the same here. Give one"),
        ],
    )
    def test_what_cannot_be_is_said(self, settings: list[str], reason: str, upscaler: Run, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=reason):
            drawn(upscaler, tmp_path / "out", *settings)


def test_what_a_run_that_draws_cannot_be_told(base: Run, upscaler: Run, tmp_path: Path) -> None:
    by = f"upscaler.run={upscaler.folder}"
    for settings, reason in (
        (["picture=x.png"], r"picture='x.png': subject-lora-\w+-\w+ draws from prompts"),
        ([by, "hires=second_pass"], "Choose one way to enlarge pictures"),
        ([by, "upscaler.level=351"], "upscaler.level=351: this model knows levels of noise from 0 to 350"),
        ([by, "upscaler.tile=40"], "upscaler.tile=40: give a multiple of 16"),
        (["upscaler.level=0"], "upscaler.level=0: there is no upscaler. Add upscaler=RUN"),
        ([f"upscaler.run={base.folder}"], "this model draws from prompts. Give a run of an upscaler"),
    ):
        with pytest.raises(ConfigError, match=reason):
            drawn(base, tmp_path / "out", *settings)
    assert not (tmp_path / "out").exists()


def test_a_lora_of_another_program_is_adopted(
    upscaler: Run, tiny_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    low_picture().save(tmp_path / "low.png")
    file, folder = upscaler.result / "pytorch_lora_weights.safetensors", tiny_folder("sd_upscaler")
    of = [f"files=[{file}]", "model=sd_upscaler", f"model.source={folder}", f"model.resolution={RESOLUTION}"]
    of += ["model.low_res.level=20", f"dataset.path={tmp_path}", "dataset.class_noun=dog", "dataset.identifier=olis"]
    again = adopt(compose("adopt", [*of, f"outputs={tmp_path / 'runs'}"]))
    asked = [f"picture={tmp_path / 'low.png'}", "seeds=[0]", "prompt='a olis dog'"]
    pictures = []
    for name, run in (("ours", upscaler), ("theirs", again)):
        [entry] = [one for one in drawn(run, tmp_path / name, *asked) if "upscaler" in one]
        pictures.append(opened(tmp_path / name / entry["file"]))
    assert distance(pictures[:1], pictures[1:]) <= ROUNDING


@pytest.mark.parametrize("verb", ["generate", "grid"])
def test_short_forms_name_a_run_or_a_model(verb: str) -> None:
    assert as_overrides(verb, ["upscaler=sd_upscaler"]) == ["model@upscaler.model=sd_upscaler"]
    assert as_overrides(verb, ["upscaler=outputs/UP"]) == ["upscaler.run=outputs/UP"]


def test_short_forms_are_of_what_can_enlarge() -> None:
    assert as_overrides("train", ["upscaler=outputs/UP"]) == ["upscaler=outputs/UP"]


class TestScores:
    SETTINGS = ("evaluation=upscaling", "evaluation.sampler.steps=2", "evaluation.pictures.subject.images=2")
    MASKED = ("+metric@evaluation.metrics.psnr_mask=psnr_mask", "+metric@evaluation.metrics.ssim_mask=ssim_mask")

    OTHERS = ("psnr_others", "ssim_others")

    @pytest.fixture(scope="class")
    def others(self, tmp_path_factory: pytest.TempPathFactory) -> Path:
        folder = tmp_path_factory.mktemp("others")
        for name, picture in (("one", low_picture()), ("two", low_picture().rotate(90))):
            picture.resize((48, 40)).save(folder / f"{name}.png")
        return folder

    @pytest.fixture(scope="class")
    def scored(
        self,
        tiny_folder: Callable[[str], Path],
        masked_pictures: Path,
        others: Path,
        tmp_path_factory: pytest.TempPathFactory,
    ) -> Run:
        of_others = [f"evaluation.others={others}", "evaluation.pictures.others.images=3"]
        more = ["dataset.holdout=1", "hparams.steps=1", *self.SETTINGS, *self.MASKED, *of_others]
        return train(configure(tiny_folder("sd_upscaler"), masked_pictures, tmp_path_factory.mktemp("runs"), *more))

    @pytest.fixture(scope="class")
    def sheet(self, scored: Run) -> ScoreSheet:
        """That of the training's own evaluation, before any other test writes one."""
        [file] = (scored.folder / "scores").glob("upscaling-*.json")
        return ScoreSheet.read(file)

    def test_a_run_is_scored_by_the_photo_that_was_held_out_beside_the_untuned_upscaler(
        self, scored: Run, sheet: ScoreSheet
    ) -> None:
        note = next(note for note in scored.read().scores.values() if "psnr_others" in note.means)
        assert set(note.means) == {"psnr", "ssim", "psnr_mask", "ssim_mask", *self.OTHERS}
        assert all(0 < scores["psnr"].mean < 60 for scores in sheet.rows.values())
        folder = next(name for name in note.pictures if "subject-" in name)
        index = json.loads((scored.folder / folder / "pictures.json").read_text(encoding="utf-8"))
        assert index["low_res"] == {"from": "photo", "level": 20.0}
        [first, second] = [opened(scored.folder / folder / entry["file"]) for entry in index["pictures"]]
        assert distance([first], [second]) > 0  # of one photo, with another noise

    @pytest.fixture
    def subject(self, scored: Run) -> EvaluationSubject:
        none: dict[str, Any] = {"encoders": {}, "class_photos": (), "scale": {}}
        [subject] = open_subjects(scored, composed_profile("upscaling"), device=torch.device("cpu"), **none)
        return subject

    def test_interpolation_is_a_row_that_needs_no_network(self, subject: EvaluationSubject, sheet: ScoreSheet) -> None:
        [photo] = [own for own in subject.photos if not own.trained_on]
        truth = view_of(photo.load(), (RESOLUTION, RESOLUTION))
        levels = np.asarray(truth, dtype=float).reshape(RESOLUTION // FACTOR, FACTOR, RESOLUTION // FACTOR, FACTOR, 3)
        low = Image.fromarray(levels.mean(axis=(1, 3)).round().astype(np.uint8))
        error = np.asarray(low.resize(truth.size, Image.Resampling.BICUBIC), dtype=float) - np.asarray(truth)
        expected = 10 * math.log10(255**2 / (error**2).mean())
        values = [value.value for value in sheet.rows["bicubic"]["psnr"].values]
        assert values == pytest.approx([expected] * 2, abs=0.1)  # a level more or less, where a mean is rounded

    def test_what_is_interpolated_is_kept_apart_by_how_far_it_was_made_small(self, subject: EvaluationSubject) -> None:
        facts = subject.source.facts
        assert facts.upscaling is not None
        less = facts._replace(upscaling=facts.upscaling._replace(factor=2))
        of_two = replace(subject, source=subject.source._replace(facts=less))
        folders = [
            galleries_of(own, composed_profile("upscaling")).rows["bicubic"]["subject"].folder
            for own in (subject, subject, of_two)
        ]
        assert folders[0] == folders[1] != folders[2]

    def test_subjects_share_a_column_if_both_or_neither_were_judged_by_photos_that_were_held_out(
        self, subject: EvaluationSubject
    ) -> None:
        another = replace(subject, photos=[photo._replace(content="other") for photo in subject.photos])
        by_known = replace(subject, photos=[photo._replace(trained_on=True) for photo in subject.photos])
        columns, same, apart = (
            {name: facts.fingerprint for name, facts in meaning(own, composed_profile("upscaling"))[1].items()}
            for own in (subject, another, by_known)
        )
        assert columns == same
        assert not set(columns.values()) & set(apart.values())
        folders = [
            galleries_of(own, composed_profile("upscaling")).rows["bicubic"]["subject"].folder
            for own in (subject, another)
        ]
        assert folders[0] != folders[1]  # these pictures are of other photos

    def test_rows_have_one_order_wherever_they_are_told(self, sheet: ScoreSheet) -> None:
        order = ["tuned", "bicubic", "prompt_only"]
        assert list(sheet.rows) == list(sheet.pictures) == order
        assert [str(row.cells[0].value).split()[0] for row in table_of_means(sheet).rows] == order
        assert [entry.row for entry in entries([sheet])] == order

    def test_what_was_lost_on_other_things_is_told_of_every_row(self, scored: Run, sheet: ScoreSheet) -> None:
        for row, scores in sheet.rows.items():
            assert {value.set for name in self.OTHERS for value in scores[name].values} == {"others"}, row
            assert [value.k for value in scores["psnr_others"].values] == [0, 1, 2]
        assert sheet.pictures["tuned"].drawn == 5
        first, second, third = (value.value for value in sheet.rows["bicubic"]["psnr_others"].values)
        assert first == third != second  # two pictures, in turn

    def test_who_asks_for_neither_has_the_same_numbers_as_before(self, scored: Run, sheet: ScoreSheet) -> None:
        """Nothing is drawn anew, and numbers are comparable with those of sheets that were written before."""
        before = {file: file.stat().st_mtime_ns for file in scored.folder.rglob("*.png")}
        fixed = [f"run={scored.folder}", *self.SETTINGS, *self.MASKED, "accelerator=cpu"]
        [file] = evaluate(compose("evaluate", [*fixed, "evaluation.rows=[prompt_only]"]))
        lean = ScoreSheet.read(file)
        assert list(lean.rows) == ["tuned", "prompt_only"]
        for name, facts in lean.metrics.items():
            assert facts.fingerprint == sheet.metrics[name].fingerprint
            for row in lean.rows:
                assert lean.rows[row][name].values == sheet.rows[row][name].values
        drawn = {file: file.stat().st_mtime_ns for file in scored.folder.rglob("*.png")}
        assert {file for file in drawn if drawn[file] != before.get(file)} == {
            scored.folder / "upscaling" / "pairs.png"
        }

    def test_other_things_that_cannot_be_enlarged_are_refused_before_anything_is_drawn(
        self, scored: Run, base: Run, others: Path, tmp_path: Path
    ) -> None:
        small = tmp_path / "small"
        small.mkdir()
        Image.new("RGB", (RESOLUTION, RESOLUTION - 1)).save(small / "flat.png")
        (tmp_path / "empty").mkdir()
        for run, folder, reason in (
            (scored, small, r"evaluation.others=.*flat.png: smaller than 32 x 32 pixels"),
            (scored, tmp_path / "nowhere", "evaluation.others=.*nowhere"),
            (scored, tmp_path / "empty", "evaluation.others=.*empty"),
            (base, others, "it is for upscalers, which enlarge photos"),
        ):
            given = [*self.SETTINGS, f"evaluation.others={folder}", "accelerator=cpu"]
            with pytest.raises(UserError, match=reason):
                evaluate(compose("evaluate", [f"run={run.folder}", *given]))

    def test_a_training_is_told_so_before_it_begins(
        self, tiny_folder: Callable[[str], Path], pictures: Path, tmp_path: Path
    ) -> None:
        given = ["evaluation=upscaling", f"evaluation.others={tmp_path / 'nowhere'}"]
        with pytest.raises(ConfigError, match="evaluation.others=.*nowhere"):
            prepare(configure(tiny_folder("sd_upscaler"), pictures, tmp_path, *given))

    def test_a_sheet_shows_low_interpolated_untuned_tuned_and_true_pictures(self, scored: Run) -> None:
        assert opened(scored.folder / "upscaling" / "pairs.png").width > 5 * 256

    def test_the_report_shows_it(self, scored: Run, tmp_path: Path) -> None:
        page = write_report([scored.folder.parent], tmp_path / "page.html").read_text(encoding="utf-8")
        assert '<h2>Enlarged</h2>\n<figure><img src="data:image/webp' in page

    def test_a_profile_of_prompts_is_refused_for_it_and_one_of_pairs_for_others(self, scored: Run, base: Run) -> None:
        for run, profile, reason in (
            (scored, "quick", "an upscaler needs one to enlarge. Choose upscaling"),
            (base, "upscaling", "it is for upscalers, which enlarge photos"),
        ):
            with pytest.raises(UserError, match=reason):
                evaluate(compose("evaluate", [f"run={run.folder}", f"evaluation={profile}", "accelerator=cpu"]))
