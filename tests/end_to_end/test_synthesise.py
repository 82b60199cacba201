"""imprint synthesise: from finished runs to a labelled data set, again and again in one folder, by several programs."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command import Said, typed_with
from composed import compose
from drawing import ROUNDING, distance
from launched import HERE
from PIL import Image, ImageDraw, ImageOps
from small_runs import configure, draw_masks, draw_pictures, overrides

from imprint.errors import ConfigError, UserError
from imprint.labelled.folder import read_folder
from imprint.labelled.row import Row
from imprint.models.families.sd import StableDiffusion
from imprint.provenance.marks import read_marks
from imprint.runs import Run
from imprint.verbs.synthesise import synthesise
from imprint.verbs.train import train

LORA = ["method=lora", "hparams.clip=null", "hparams.steps=2", "method.lr=2e-2"]
PROMPTS = [
    "synthesis_prompts@synthesis.prompts=list",
    "synthesis.prompts.prompts=['a {identifier} {noun} on the beach','a {noun}']",
]
DRAWING = ["accelerator=cpu", "filter=none", "steps=4", "scheduler=DDIMScheduler"]

Made = Callable[..., Path]


@pytest.fixture(scope="module")
def runs(tiny_sd: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Of two subjects, with masks and one photo that is kept out."""
    folder = tmp_path_factory.mktemp("runs")
    found = {}
    for name, photos in (("rex", 4), ("tom", 3)):
        pictures = draw_masks(draw_pictures(folder / "photos" / name, photos))
        if name == "tom":
            for file in pictures.glob("?.png"):
                ImageOps.invert(Image.open(file)).save(file)
        settings = [*LORA, f"dataset.subject={name}", "dataset.holdout=1"]
        found[name] = train(configure(tiny_sd, pictures, folder, *settings))
    return found


@pytest.fixture
def made(runs: dict[str, Run], tmp_path: Path) -> Made:
    """`made("synthesis=mix", "images=4")`: the folder of a data set of both subjects."""

    def make(*settings: str, out: str = "set", of: Sequence[str] = ("rex", "tom")) -> Path:
        named = ",".join(str(runs[name].folder) for name in of)
        prompts = [] if "synthesis=copies" in settings else PROMPTS
        return synthesise(
            compose("synthesise", [f"run=[{named}]", f"out={tmp_path / out}", *DRAWING, *prompts, *settings])
        )

    return make


def pictures(folder: Path) -> dict[str, bytes]:
    """Pixels by name."""
    files = [file for file in sorted((folder / "train").glob("*/*.png")) if file.parent.name != "masks"]
    return {file.relative_to(folder / "train").as_posix(): Image.open(file).tobytes() for file in files}


def about(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "synthesis.json").read_text(encoding="utf-8"))
    return content


def test_a_data_set_says_which_photos_its_generators_were_taught_from(made: Made, runs: dict[str, Run]) -> None:
    folder = made("synthesis=img2img", "images=3")
    said = about(folder)
    assert {subject: len(photos) for subject, photos in said["photos"].items()} == {"rex": 3, "tom": 2}
    rows = [row for _, row in read_folder(folder).rows() if not row.is_real]
    assert rows
    assert all(row.parent in said["photos"][row.subject] for row in rows)
    assert said["encoders"] == {}  # without a filter


METHODS = {
    "from_noise": "",
    "untuned": "",
    "img2img": "synthesis.strengths=[0.25,1.0]",
    "repaint": "synthesis.keep=subject",
    "paste": "synthesis.places=generated",
    "mix": "synthesis.strengths=[0.5]",
    "copies": "images=4",
}


@pytest.mark.parametrize("choice", METHODS)
def test_each_method_makes_a_data_set_that_says_what_it_is(choice: str, made: Made, runs: dict[str, Run]) -> None:
    folder = made(f"synthesis={choice}", "images=4", *filter(None, [METHODS[choice]]))
    data_set = read_folder(folder)
    data_set.check_pictures()
    rows = data_set.splits["train"]
    assert {subject: sum(row.subject == subject for row in rows) for subject in ("rex", "tom")} == {"rex": 4, "tom": 4}
    assert {row.noun for row in rows} == {"dog"}
    assert {row.source for row in rows} == {choice}
    for row in rows:
        assert row.run == (
            runs[row.subject].folder.name if choice in ("from_noise", "img2img", "repaint", "mix") else ""
        )
        assert bool(row.parent) == (choice not in ("from_noise", "untuned"))
        assert (
            bool(row.mask_file_name)
            == bool(row.objects)
            == (choice in ("repaint", "paste", "copies") or row.strength == 0.25)
        )
        marks = read_marks(data_set.file("train", row).read_bytes())
        assert bool(marks.synthetic) == (choice != "copies")
    tested = data_set.splits["test"]
    assert [(row.subject, row.source) for row in tested] == [("rex", "real"), ("tom", "real")]
    assert about(folder)["counts"] == {name: {"asked": 4, "kept": 4} for name in ("rex", "tom")}


def test_estimated_masks_say_so(tiny_sd: Path, tmp_path: Path) -> None:
    """Of a photo without a mask, what is cut out of it, and of what is drawn from noise."""
    photos = draw_pictures(tmp_path / "photos", 2)
    for number in range(2):
        picture = Image.new("RGB", (64, 64), (200, 200, 190))
        ImageDraw.Draw(picture).ellipse((16, 12, 48, 50), fill=(60, 20 + 60 * number, 120))
        picture.save(photos / f"{number}.png")
    run = train(configure(tiny_sd, photos, tmp_path, *LORA, "dataset.subject=rex"))

    def rows(out: str, *settings: str) -> Sequence[Row]:
        asked = [f"run={run.folder}", f"out={tmp_path / out}", "images=2", *DRAWING, *PROMPTS, *settings]
        return read_folder(synthesise(compose("synthesise", asked))).splits["train"]

    with pytest.raises(ConfigError, match="no mask says where the subject is"):
        rows("pasted", "synthesis=paste", "synthesis.places=drawn")
    pasted = rows("pasted", "synthesis=paste", "synthesis.places=drawn", "masks=border")
    assert {row.label_quality for row in pasted} == {"estimated"}
    assert all(row.estimator.startswith("border ") for row in pasted)
    assert all(row.mask_file_name and row.objects for row in pasted)
    assert not any(row.mask_file_name for row in rows("drawn"))
    with pytest.raises(ConfigError, match="the data set there is another one"):
        rows("drawn", "masks=border")
    found = rows("found", "masks=border")
    assert all(row.label_quality == ("estimated" if row.mask_file_name else "") for row in found)
    assert [row.mask_file_name for row in rows("found", "masks=border")] == [row.mask_file_name for row in found]


def test_the_same_again_does_nothing_and_more_pictures_extend_it(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pictures(made("images=4"))
    more = pictures(made("images=6"))
    assert len(more) == 12
    assert {name: more[name] for name in first} == first
    monkeypatch.setattr(StableDiffusion, "generate", lambda *_, **__: pytest.fail("all of it was there"))
    assert pictures(made("images=6")) == more
    assert pictures(made("images=4")).keys() == more.keys()
    assert len(read_folder(made("images=4")).splits["train"]) == 8


def test_pictures_do_not_depend_on_their_batch(made: Made) -> None:
    alone, together = (made("synthesis=repaint", "images=4", f"batch_size={size}", out=f"by{size}") for size in (1, 8))
    names = sorted(pictures(alone))
    assert names == sorted(pictures(together))
    some, others = ([Image.open(folder / "train" / name) for name in names] for folder in (alone, together))
    assert distance(some, others) <= ROUNDING


def test_a_damaged_or_deleted_picture_is_drawn_again(made: Made) -> None:
    folder = made("images=4")
    before = pictures(folder)
    damaged, deleted = sorted((folder / ".drawn").glob("*/*.png"))[:2]
    damaged.write_bytes(b"no picture")
    deleted.unlink()
    (folder / "train" / "tom" / deleted.name).unlink()
    assert pictures(made("images=4")) == before


def test_what_a_filter_rejects_lies_beside_with_its_reason_and_comes_back_without_it(made: Made) -> None:
    folder = made("images=4", "synthesis=paste", "filter=[size]", "filter.size.least=0.1")
    data_set = read_folder(folder)
    assert data_set.rejected
    assert all("size" in row.reasons[0] for row in data_set.rejected)
    kept = {row.file_name for row in data_set.splits["train"]}
    assert kept == set(pictures(folder))
    assert not kept.intersection(row.file_name for row in data_set.rejected)
    again = read_folder(made("images=4", "synthesis=paste"))
    assert len(again.splits["train"]) == 8
    assert not again.rejected


def test_other_settings_in_the_same_folder_are_refused_by_name(made: Made, tmp_path: Path) -> None:
    made("images=4")
    with pytest.raises(ConfigError, match=r"the data set there is another one, by: guidance \(None, now 2"):
        made("images=4", "guidance=2")
    with pytest.raises(ConfigError, match=r"by: .*runs"):
        made("images=4", of=("rex",))
    other = tmp_path / "other"
    other.mkdir()
    (other / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="this folder holds other files"):
        made("images=4", out="other")


def test_a_set_of_another_version_is_refused(made: Made) -> None:
    folder = made("images=4")
    (folder / "synthesis.json").write_text(json.dumps({**about(folder), "version": 99}))
    with pytest.raises(UserError, match=r"synthesis\.json: .*99"):
        made("images=4")


def test_a_photo_of_the_test_among_those_to_train_on_is_refused_by_name(
    made: Made, runs: dict[str, Run], tmp_path: Path
) -> None:
    """A mirrored JPEG of it, too; others come along, and prompts that name their places are told."""
    photos = Path(runs["rex"].read().config.dataset["path"])
    trained = next(file for file in sorted(photos.glob("?.png")) if _is_trained_on(runs["rex"], file))
    test = tmp_path / "test" / "rex"
    test.mkdir(parents=True)
    ImageOps.mirror(Image.open(trained)).save(test / "mirrored.jpg", quality=95, subsampling=0)
    noise = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    Image.fromarray(noise).save(test / "new.png")
    with pytest.raises(ConfigError, match=rf"rex/mirrored\.jpg = rex/{trained.name}") as raised:
        made("images=4", f"test={tmp_path / 'test'}")
    assert "new.png" not in str(raised.value)
    (test / "mirrored.jpg").unlink()
    data_set = read_folder(made("images=4", f"test={tmp_path / 'test'}"))
    assert sum(row.subject == "rex" for row in data_set.splits["test"]) == 2


def _is_trained_on(run: Run, file: Path) -> bool:
    from imprint.data.pictures import content_hash

    return content_hash(file.read_bytes(), "white") in run.read().photos


def test_masks_of_photos_to_test_on_come_along(made: Made) -> None:
    folder = read_folder(made("images=4"))
    rows = folder.splits["test"]
    assert {row.subject for row in rows} == {"rex", "tom"}, "each run kept one photo out"
    for row in rows:
        mask = folder.mask("test", row)
        assert mask is not None
        with Image.open(mask) as seen:
            left, top, right, bottom = seen.getbbox() or (0, 0, 0, 0)
            assert seen.size == folder.load("test", row).size
        assert row.objects[0].box == (left, top, right - left, bottom - top)


def test_pictures_of_two_versions_are_told(made: Made, caplog: pytest.LogCaptureFixture) -> None:
    folder = made("images=2")
    (folder / "synthesis.json").write_text(json.dumps({**about(folder), "imprint": "0.0.1"}))
    made("images=4")
    assert "4 of its pictures are by imprint 0.0.1, and 4 are now drawn" in caplog.text
    assert about(folder)["imprint_before"] == ["0.0.1"]
    caplog.clear()
    made("images=4")
    assert "0.0.1" not in caplog.text, "nothing is drawn"
    assert about(folder)["imprint_before"] == ["0.0.1"]


def test_several_mistakes_are_told_at_once(made: Made, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        made("synthesis=mix", "images=1", f"test={tmp_path / 'nowhere'}", of=("rex",))
    for part in ("images=1: of rex, 2 prompts", "give two subjects or more", "there is no such folder"):
        assert part in str(raised.value)


def test_runs_that_do_not_go_together_are_refused(
    runs: dict[str, Run], tiny_sd_v: Path, tmp_path: Path, made: Made
) -> None:
    photos = draw_pictures(tmp_path / "photos" / "kit")
    other = train(configure(tiny_sd_v, photos, tmp_path, *LORA, "dataset.subject=kit", "model.resolution=64"))
    runs = {**runs, "kit": other}
    named = f"run=[{runs['rex'].folder},{other.folder}]"
    with pytest.raises(ConfigError) as raised:
        synthesise(compose("synthesise", [named, f"out={tmp_path / 'set'}", *DRAWING, *PROMPTS, "images=4"]))
    assert "trained from different models" in str(raised.value)
    assert "draw pictures of different sizes: " in str(raised.value)
    (other.folder / "manifest.json").write_text(
        (other.folder / "manifest.json").read_text().replace('"finished"', '"running"', 1)
    )
    with pytest.raises(ConfigError, match=r"this run is running\. Give the command that began it again"):
        synthesise(compose("synthesise", [named, f"out={tmp_path / 'set'}", *DRAWING, *PROMPTS, "images=4"]))


def test_a_strength_that_leaves_no_step_is_told_before_anything_is_drawn(made: Made, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"synthesis\.strengths: strength=0\.1: of 4 steps this leaves none"):
        made("synthesis=img2img", "images=4", "synthesis.strengths=[0.1,0.5]")
    assert not (tmp_path / "set" / "train").exists()


def test_one_run_of_several_subjects_draws_each_with_its_own_words(tiny_sd: Path, tmp_path: Path) -> None:
    """In another size than it was trained in, with two strengths of guidance in turn."""
    given = [each for each in overrides(tiny_sd, tmp_path, tmp_path / "runs", *LORA) if not each.startswith("dataset")]
    for name, noun, word in (("a", "dog", "sks"), ("b", "cat", "ktn")):
        key = f"dataset.subjects.{name}"
        photos = draw_pictures(tmp_path / f"{noun}s")
        given += [
            f"+dataset@{key}=folder",
            f"{key}.path={photos}",
            f"{key}.class_noun={noun}",
            f"{key}.identifier={word}",
        ]
    run = train(compose("train", ["dataset=joint", *given]))
    wanted = [f"run={run.folder}", f"out={tmp_path / 'set'}", "images=4", "size=[32,64]", "guidance=[2,5]"]
    rows = read_folder(synthesise(compose("synthesise", [*wanted, *DRAWING, *PROMPTS]))).splits["train"]
    words = {"dogs": ("dog", "ktn"), "cats": ("cat", "sks")}
    assert {row.subject for row in rows} == words.keys()
    for row in rows:
        own, of_the_other = words[row.subject]
        assert row.noun == own
        assert own in row.prompt
        assert of_the_other not in row.prompt
    assert sorted(row.guidance for row in rows if row.subject == "dogs") == [2, 2, 5, 5]
    assert {Image.open(tmp_path / "set" / "train" / row.file_name).size for row in rows} == {(64, 32)}


def test_of_a_collection_what_is_missing_is_trained_and_each_combination_is_a_data_set(
    tiny_sd: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    for name in ("rex", "tom"):
        draw_masks(draw_pictures(photos / name))
    usual = overrides(tiny_sd, photos, tmp_path / "outputs", *LORA, "hparams.steps=1")
    left_out = ("dataset=", "dataset.class_noun=", "dataset.path=", "hparams.steps=6")
    own = [each for each in usual if not each.startswith(left_out)]
    collection = ["collection=folders", f"collection.path={photos}", "collection.noun=dog"]
    settings = {
        each.partition("=")[0]: each
        for each in [*own, *collection, *DRAWING, *PROMPTS, "images=2", "trainer.checkpoint_every=1"]
    }
    typed = typed_with(capfd)

    def said(*more: str) -> Said:
        return typed("synthesise", *{**settings, **{each.partition("=")[0]: each for each in more}}.values())

    axes = ["synthesis=from_noise,paste", f"out={tmp_path}/sets/${{hydra:runtime.choices.synthesis}}"]
    planned = said(*axes, "dry_run=true")
    assert planned.code == 0, planned.text
    assert "2 points: 2 to train." in planned.text
    for choice in ("from_noise", "paste"):
        assert f"sets/{choice}: 4 pictures by {choice}, 2 of each of 2 subjects; 0 are there." in planned.text
    assert not (tmp_path / "outputs").exists()
    assert not (tmp_path / "sets").exists()
    made = said(*axes)
    assert made.code == 0, made.text
    trained = sorted((tmp_path / "outputs").glob("*/manifest.json"))
    assert len(trained) == 2
    assert {name: len(pictures(tmp_path / "sets" / name)) for name in ("from_noise", "paste")} == {
        "from_noise": 4,
        "paste": 4,
    }
    times = [file.stat().st_mtime_ns for file in trained]
    more = said("synthesis=from_noise", f"out={tmp_path}/sets/from_noise", "images=3", "dry_run=true")
    assert "6 pictures by from_noise, 3 of each of 2 subjects; 4 are there." in more.text
    assert "Drawing takes about" in more.text
    assert said("synthesis=from_noise", f"out={tmp_path}/sets/from_noise", "images=3").code == 0
    assert len(pictures(tmp_path / "sets" / "from_noise")) == 6
    assert [file.stat().st_mtime_ns for file in trained] == times
    pasted = ["synthesis=paste", "synthesis.places=drawn", f"out={tmp_path}/sets/pasted", f"outputs={tmp_path}/none"]
    assert said(*pasted).code == 0
    assert len(pictures(tmp_path / "sets" / "pasted")) == 4
    assert not (tmp_path / "none").exists(), "photos are enough for it"
    wrong = said("guidance=2,5", f"out={tmp_path}/sets/one")
    assert (wrong.code, "several data sets would lie there. Name what differs" in wrong.text) == (1, True)
    both = said(f"run={trained[0].parent}", f"out={tmp_path}/sets/one", "images=1")
    assert (both.code, "run and collection: both are given" in both.text) == (1, True)


def test_shots_are_an_axis_and_each_set_is_made_of_the_first_photos_alone(
    tiny_sd: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    for name in ("rex", "tom"):
        draw_masks(draw_pictures(photos / name, 3))
    usual = overrides(tiny_sd, photos, tmp_path / "outputs", *LORA, "hparams.steps=1")
    left_out = ("dataset=", "dataset.class_noun=", "dataset.path=", "hparams.steps=6")
    own = [each for each in usual if not each.startswith(left_out)]
    collection = ["collection=folders", f"collection.path={photos}", "collection.noun=dog"]
    given = {each.partition("=")[0]: each for each in [*own, *collection, *DRAWING, *PROMPTS, "images=2"]}.values()
    typed = typed_with(capfd)
    axes = ["dataset.shots=1,2", f"out={tmp_path}/sets/${{dataset.shots}}"]
    planned = typed("synthesise", *given, *axes, "dry_run=true")
    assert (planned.code, "4 points: 4 to train" in planned.text) == (0, True), planned.text
    for shots in ("1 photo", "2 photos"):
        for name in ("rex", "tom"):
            assert f"{name} (dog, {shots}, {name}-" in planned.text
    assert len(set(re.findall(r"photos?, ([\w-]+)\)", planned.text))) == 4, "each has a run of its own"
    assert typed("synthesise", *given, *axes, "synthesis=paste", "synthesis.places=drawn").code == 0
    for shots in (1, 2):
        folder = tmp_path / "sets" / str(shots)
        said = about(folder)["photos"]
        assert said == {name: [f"{name}/{number}.png" for number in range(shots)] for name in ("rex", "tom")}
        rows = [row for _, row in read_folder(folder).rows()]
        assert {row.parent for row in rows} == {key for keys in said.values() for key in keys}
    many = typed("synthesise", *given, "dataset.shots=9", f"out={tmp_path}/sets/9")
    assert (many.code, "dataset.shots=9: there are only 3 to train on" in many.text) == (1, True), many.text


@pytest.mark.slow
def test_killed_programs_are_continued_and_two_share_the_work(made: Made, runs: dict[str, Run], tmp_path: Path) -> None:
    """One is killed in the middle; then two go on at once, and the pictures are those of one that was left alone."""
    settings = ["synthesis=img2img", "synthesis.strengths=[0.5]", "images=30", "batch_size=1", "steps=20"]
    expected = pictures(made(*settings, out="alone"))
    first = _started(runs, tmp_path, settings)
    drawn = tmp_path / "shared" / ".drawn"
    deadline = time.monotonic() + 300
    while _count(drawn) < 5:
        assert first.poll() is None, first.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert 5 <= _count(drawn) < 60
    both = [_started(runs, tmp_path, settings) for _ in range(2)]
    said = [one.communicate(timeout=400)[1] for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    found = pictures(tmp_path / "shared")
    assert found == expected
    assert len(read_folder(tmp_path / "shared").splits["train"]) == 60


def _count(drawn: Path) -> int:
    """Partial folders come and go meanwhile, which a glob does not expect."""
    return sum(name.endswith(".png") for _, _, names in os.walk(drawn) for name in names)


def _started(runs: dict[str, Run], folder: Path, settings: Sequence[str]) -> "subprocess.Popen[str]":
    named = [str(run.folder) for run in runs.values()]
    given = [*named, f"out={folder / 'shared'}", *DRAWING, *PROMPTS, *settings]
    path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-m", "imprint.cli", "synthesise", *given],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
