import json
from pathlib import Path

import pytest
import torch
from PIL import Image
from unit.reporting.fakes import FakeModule, fit, protocol

from imprint.pictures.files import save_png
from imprint.reporting.contact_sheets import samples_contact_sheet, spread
from imprint.reporting.sample_index import read_samples
from imprint.reporting.samples import SamplePictures
from imprint.runs import Run


class Tracker:
    def __init__(self) -> None:
        self.told: list = []

    def log_samples(self, step: int, rows: list) -> None:
        self.told.append((step, rows))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path / "run-1234")


def test_pictures_lie_in_the_run_and_in_its_index_with_the_untuned_ones_beside_them(run: Run) -> None:
    fit(FakeModule(), [SamplePictures(run, protocol(every=4), [])], steps=6)
    entries = read_samples(run)
    assert [entry.step for entry in entries] == [0] * 4 + [4] * 4 + [6] * 4
    assert [(entry.prompt, entry.seed) for entry in entries[:4]] == [
        ("a sks dog", 0),
        ("a sks dog", 3),
        ("a dog", 0),
        ("a dog", 3),
    ]
    last = entries[-1]
    assert (last.file, last.untuned_file) == ("step-000006/01-s3.png", "step-000000/01-s3.png")
    tuned, untuned = Image.open(run.samples / last.file), Image.open(run.samples / last.untuned_file)
    assert tuned.size == (12, 8), "the module's frame is (height, width)"
    # Ten shades for each unit of the averaged weight.
    assert (tuned.getpixel((0, 0)), untuned.getpixel((0, 0))) == ((95, 3, 0), (50, 3, 0))
    assert json.loads(run.sample_index.read_text())["pictures"][0]["prompt"] == "a sks dog"
    assert Image.open(run.samples / "sheet.png").width > 3 * 160


def test_a_program_that_was_killed_before_the_sheet_was_drawn_draws_it_the_next_time(run: Run) -> None:
    told: list[int] = []
    for _ in range(2):
        pictures = SamplePictures(run, protocol(every=4), [])
        pictures._tell = lambda entries: told.append(max(entry.step for entry in entries))  # type: ignore[method-assign]
        fit(FakeModule(), [pictures], steps=6)
        whole = (run.samples / "sheet.png").read_bytes()
        (run.samples / "sheet.png").unlink()
        run.sample_index.unlink()  # the picture is written before its entry, and both before the sheet
    assert whole
    assert told == [0, 4, 6], "trackers are told of new pictures alone"


def test_the_index_of_an_earlier_version_is_read_and_leads_nowhere_else(run: Run) -> None:
    run.samples.mkdir(parents=True)
    files = ["step-000003/00-s0.png", "step-000000/00-s0.png", "../result/x.png", "/tmp/x.png"]
    common = {"prompt": "a dog", "seed": 0, "untuned_file": files[1]}
    rows = [{"step": step, "file": file, **common} for step, file in zip((3, 0, 3, 3), files, strict=True)]
    run.sample_index.write_text(json.dumps(rows), encoding="utf-8")
    assert [(entry.step, entry.file, entry.untuned_file) for entry in read_samples(run)] == [
        (0, files[1], files[1]),
        (3, files[0], files[1]),
    ]


def test_training_does_not_notice_the_drawing(run: Run) -> None:
    torch.manual_seed(0)
    watched = FakeModule()
    fit(watched, [SamplePictures(run, protocol(every=1), [])])
    torch.manual_seed(0)
    alone = FakeModule()
    fit(alone, [])
    assert watched.noise == alone.noise
    assert watched.model.weight == alone.model.weight
    assert watched.model.drawn
    assert not any(disturbed for _, disturbed in watched.model.drawn)


def test_modes_return_even_when_drawing_fails(run: Run) -> None:
    module = FakeModule()

    def broken(*args: object, **kwargs: object) -> list:
        raise RuntimeError("no picture")

    module.model.generate = broken  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="no picture"):
        fit(module, [SamplePictures(run, protocol(), [])])
    assert module.model.training
    assert not module.model.frozen.training


def test_a_resumed_run_draws_only_what_is_missing(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        fit(FakeModule(fail_at=6), [SamplePictures(run, protocol(every=2), [])], save=tmp_path / "checkpoints")
    assert {entry.step for entry in read_samples(run)} == {0, 2, 4}
    resumed = FakeModule()
    checkpoint = tmp_path / "checkpoints" / "at-step=2.ckpt"
    (run.samples / "step-000002" / "00-s0.png").unlink()
    fit(resumed, [SamplePictures(run, protocol(every=2), [])], resume=checkpoint)
    assert {weight for weight, _ in resumed.model.drawn} == {2 + 5, 4.5 + 5}, "step 4 was there, 2 and 6 were not"
    assert {entry.step for entry in read_samples(run)} == {0, 2, 4, 6}
    assert all(entry.untuned_file for entry in read_samples(run))


def test_a_run_killed_while_it_drew_the_last_pictures_draws_them_when_resumed(run: Run, tmp_path: Path) -> None:
    fit(FakeModule(), [], save=tmp_path / "checkpoints")
    fit(
        FakeModule(),
        [SamplePictures(run, protocol(), [])],
        resume=tmp_path / "checkpoints" / "at-step=6.ckpt",
    )
    entries = read_samples(run)
    assert {entry.step for entry in entries} == {6}
    assert {entry.untuned_file for entry in entries} == {None}


def test_no_prompts_no_pictures(run: Run) -> None:
    module = FakeModule()
    fit(module, [SamplePictures(run, protocol(every=1, prompts=()), [])])
    assert not module.model.drawn
    assert not run.folder.exists()


def test_trackers_are_told_of_each_picture_and_its_untuned_one(run: Run) -> None:
    tracker = Tracker()
    fit(FakeModule(), [SamplePictures(run, protocol(), [tracker])], steps=2)
    assert [step for step, _ in tracker.told] == [0, 2]
    row = tracker.told[1][1][0]
    assert (row.prompt, row.seed) == ("a sks dog", 0)
    assert row.picture == run.samples / "step-000002/00-s0.png"
    assert row.untuned == run.samples / "step-000000/00-s0.png"


def test_a_picture_is_saved_without_metadata(tmp_path: Path) -> None:
    image = Image.new("RGB", (4, 4), (1, 2, 3))
    image.info = {"icc_profile": b"profile", "comment": "where I live", "dpi": (72, 72)}
    save_png(image, tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as saved:
        assert saved.info == {}
        assert saved.getpixel((0, 0)) == (1, 2, 3)


def test_the_contact_sheet_has_a_row_per_prompt_and_seed_and_survives_lost_pictures(run: Run) -> None:
    fit(FakeModule(), [SamplePictures(run, protocol(every=1), [])], steps=3)
    entries = read_samples(run)
    whole = samples_contact_sheet(entries, run.samples)
    (run.samples / entries[0].file).unlink()
    assert samples_contact_sheet(entries, run.samples).size == whole.size
    fewer = samples_contact_sheet([entry for entry in entries if entry.seed == 0 and entry.step in (0, 3)], run.samples)
    assert fewer.width < whole.width
    assert fewer.height < whole.height


def test_many_steps_are_thinned_evenly_with_the_first_and_the_last() -> None:
    assert spread(range(0, 110, 10), 6) == [0, 20, 40, 60, 80, 100]
    assert spread([0, 7], 6) == [0, 7]
