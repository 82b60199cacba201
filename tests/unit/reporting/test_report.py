import json
import os
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image
from unit.reporting.runs_on_disk import knows_photos, make_run

from imprint.data.reading import open_folder
from imprint.errors import UserError
from imprint.reporting import thumbnails
from imprint.reporting.figures import CurveStyle, Panel, panel_svg
from imprint.reporting.labels import setting_columns
from imprint.reporting.record import RunRecord, differing, find_runs, read_run
from imprint.reporting.side_by_side import galleries, labels, with_steps
from imprint.runs import Run
from imprint.verbs.report import write_report


def settings(lr: float = 1e-5, path: str = "photos", **more: object) -> dict:
    return {
        "model": {"_target_": "imprint.models.families.sd.Source", "path": "somewhere"},
        "method": {"_target_": "imprint.methods.dreambooth.DreamBooth", "roles": ["denoiser"]},
        "hparams": {"lr": lr},
        "dataset": {"path": path},
        "report": {"every": lr},
        **more,
    }


@pytest.fixture
def grid(tmp_path: Path) -> Path:
    """One run of each fate, and what a killed writer leaves behind."""
    folder = tmp_path / "grid"
    make_run(folder / "finished-00000001", settings=settings())
    make_run(
        folder / "failed-00000002",
        settings=settings(1e-3),
        status="failed",
        steps=57,
        drawn_at=(0,),
        error="NonFiniteLoss: the loss is <nan> at step 58.",
    )
    make_run(
        folder / "deeper" / "started-00000003",
        settings=settings(1e-4),
        status="running",
        steps=0,
        drawn_at=(),
    )
    (folder / "deeper" / "started-00000003" / "config.yaml").unlink()
    return folder


def test_every_run_below_the_folder_is_on_the_page_with_what_became_of_it(grid: Path, tmp_path: Path) -> None:
    out = write_report([grid], tmp_path / "pages" / "report.html")
    html = out.read_text()
    for text in ("finished-00000001", "failed-00000002", "started-00000003", "1 min 23 s", "3.0 GiB", ">57<"):
        assert text in html
    assert "the loss is &lt;nan&gt; at step 58." in html
    assert "stopped" in html


def test_the_page_needs_nothing_but_itself(grid: Path, tmp_path: Path) -> None:
    html = write_report([grid], tmp_path / "report.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:|#)[^"]*"|url\((?!#|data:)[^)]*\)|@import|<link|<script src', html)
    assert str(tmp_path) not in html, "where it was made is nobody's business"


def test_the_untuned_picture_stands_before_the_tuned_one_of_the_same_prompt_and_seed(grid: Path) -> None:
    (gallery,) = galleries(find_runs([grid / "finished-00000001"]), most=100)
    assert [(row.prompt, row.seed) for row in gallery.rows[:2]] == [("a sks dog", 0), ("a sks dog", 1)]
    first, second = gallery.rows[1].pictures
    assert (first.label, second.label) == ("untuned", "step 200")
    assert first.file
    assert first.file.name == second.file.name == "00-s1.png"
    assert (first.file.parent.name, second.file.parent.name) == ("step-000000", "step-000200")


@pytest.mark.parametrize(
    ("dataset", "title"),
    [({"subject": "corgi"}, "corgi"), ({"subject": "auto"}, "my_dog"), ({"subject": "auto", "name": "dog6"}, "dog6")],
)
def test_pictures_stand_under_the_name_of_their_subject(tmp_path: Path, dataset: dict[str, str], title: str) -> None:
    run = tmp_path / "run-00000001"
    make_run(run, settings=settings(dataset={"path": "photos/my_dog", **dataset}))
    (gallery,) = galleries(find_runs([run]), most=100)
    assert gallery.title == title


def test_only_settings_that_tell_runs_apart_are_columns(grid: Path) -> None:
    make_run(grid / "lora-4", settings=settings(method={"_target_": "imprint.methods.lora.LoRA"}))
    (grid / "deeper" / "started-00000003" / "config.yaml").write_text("")
    records = [record for record in find_runs([grid]) if record.settings]
    assert set(differing(records)) == {"method", "method.roles", "hparams.lr"}
    assert {record.settings["method"] for record in records} == {"dreambooth", "lora"}
    assert differing(records[:1]) == []


def test_long_values_are_shortened_and_told_whole_below_the_table(tmp_path: Path) -> None:
    templates = [f"a photo of {{identifier}}, number {number}" for number in range(30)]
    for number, more in enumerate([{}, {"templates": templates}]):
        method = {"_target_": "imprint.methods.lora.LoRA", "lr": number, **more}
        make_run(tmp_path / f"run-{number}", settings=settings(method=method))
    html = write_report([tmp_path], tmp_path / "report.html").read_text()
    runs, _, below = html.partition("<details>")
    assert "number 29" not in runs
    assert "number 29" in below
    assert ">lr</button>" in runs


def test_only_photos_that_the_manifest_knows_are_shown(tmp_path: Path) -> None:
    """A run of somebody else's may name any folder of its reader's."""
    photos, private = tmp_path / "photos", tmp_path / "private"
    for number, folder in enumerate((photos, private)):
        folder.mkdir()
        Image.new("RGB", (20, 20), ("red", "blue")[number]).save(folder / "a.png")
    run = make_run(tmp_path / "grid" / "run-1", settings=settings(path=str(private)))
    knows_photos(run, private, [photos / "a.png"])
    assert read_run(Run(run)).references == []
    assert "The subject" not in write_report([run], tmp_path / "report.html").read_text()
    shutil.copy(photos / "a.png", private / "b.png")
    assert read_run(Run(run)).references == [private / "b.png"]


def test_a_former_manifest_knows_them_as_a_whole(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.new("RGB", (20, 20), "red").save(photos / "a.png")
    run = make_run(tmp_path / "run-1", settings=settings(path=str(photos)))
    known = open_folder(str(photos), key="path", bad_pictures="strict", background="white").fingerprint
    config = {"dataset": {"path": str(photos), "background": "white"}}
    (run / "manifest.json").write_text(json.dumps({"config": config, "content": {"dataset": known}}))
    assert read_run(Run(run)).references == [photos / "a.png"]
    Image.new("RGB", (20, 20), "blue").save(photos / "b.png")
    assert read_run(Run(run)).references == []


def test_references_come_from_the_data_and_lose_their_metadata(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    exif = Image.Exif()
    exif[0x010E] = "HOME-ADDRESS"
    exif[0x0112] = 6  # turned by a quarter
    Image.new("RGB", (40, 20), "red").save(photos / "a.jpg", exif=exif)
    (photos / "broken.png").write_bytes(b"no picture")
    run = make_run(tmp_path / "grid" / "run-1", settings=settings(path=str(photos)))
    knows_photos(run, photos, [photos / "a.jpg"])
    html = write_report([tmp_path / "grid"], tmp_path / "report.html").read_text()
    assert "The subject" in html
    assert "HOME-ADDRESS" not in html
    thumbnail = thumbnails.thumbnail(photos / "a.jpg", side=64, keeps_small=True)
    assert thumbnail is not None
    assert thumbnail.is_small
    assert thumbnails.thumbnail(photos / "broken.png", side=64, keeps_small=True) is None


def test_a_picture_that_is_none_is_not_waited_for_or_unpacked(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")
    for name in ("pipe.png", "bomb.png", "absent.png"):
        assert thumbnails.thumbnail(tmp_path / name, side=64, keeps_small=True) is None


def test_pictures_shrink_rather_than_the_page_growing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_run(tmp_path / "run-1", settings=settings())
    for file in (tmp_path / "run-1" / "samples").rglob("*.png"):
        Image.effect_noise((512, 512), 90).convert("RGB").save(file)
    large = len(write_report([tmp_path / "run-1"], tmp_path / "a.html").read_bytes())
    monkeypatch.setattr(thumbnails, "PICTURE_BUDGET", 100_000)
    assert len(write_report([tmp_path / "run-1"], tmp_path / "b.html").read_bytes()) < large / 2


def test_lost_and_half_written_files_do_not_stop_it(grid: Path, tmp_path: Path) -> None:
    run = grid / "finished-00000001"
    (run / "samples" / "step-000200" / "00-s0.png").unlink()
    with (run / "metrics.csv").open("a") as file:
        file.write("201,0.")
    assert "not drawn" in write_report([grid], tmp_path / "report.html").read_text()


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No run lies in"):
        write_report([tmp_path], tmp_path / "report.html")


def test_curves_take_the_page_s_ink_and_survive_what_is_not_finite() -> None:
    styles = {"a": CurveStyle("lr <1>", "#0a7abf", "solid"), "b": CurveStyle("lr 2", "#d9641a", "dashed")}
    panel = Panel("loss", {"a": [(1, 0.5), (2, float("nan")), (3, 0.4)], "b": [(1, float("inf"))]}, True)
    svg = panel_svg(panel, styles)
    assert svg.startswith("<svg")
    assert "currentColor" in svg
    assert "#010203" not in svg
    assert "<title>lr &lt;1&gt;: 0.4500 at step 3</title>" in svg, "the pointer is told the running mean"
    assert svg == panel_svg(panel, styles)


def test_a_run_is_found_once_however_it_is_named(grid: Path) -> None:
    assert len(find_runs([grid, grid / "finished-00000001", grid / "deeper"])) == 3


def test_a_run_without_losses_or_pictures_still_has_a_page(tmp_path: Path) -> None:
    run = tmp_path / "run-1"
    run.mkdir()
    (run / "manifest.json").write_text(json.dumps({"status": "failed"}))
    (run / "error.txt").write_text("no such picture")
    html = write_report([run], tmp_path / "report.html").read_text()
    assert "no such picture" in html
    assert "<figure>" not in html


def test_runs_are_told_apart_by_what_their_parts_are() -> None:
    def record(name: str, **settings: str) -> RunRecord:
        known = {key.replace("__", "."): value for key, value in settings.items()}
        return RunRecord(name, Path(name), "finished", ("sks",), known, 1, None, {}, [], {}, [], [], "", "")

    records = [
        record("a", method="lora", method__lr="1", prior="none"),
        record("b", method="dreambooth", method__lr="2", prior="none"),
        record("c", method="dreambooth", method__lr="2", prior__weight="1.0", prior="generated"),
    ]
    assert list(labels(records).values()) == [
        "lora",
        "dreambooth, no prior",
        "dreambooth, prior generated",
    ]


def test_internals_are_no_columns_and_rates_of_mixed_methods_are(tmp_path: Path) -> None:
    """In the order in which people ask for them; a part is named by its kind, also where no class of it is loaded."""
    kinds = {"lora": "imprint.methods.somewhere.TheAdapter", "dreambooth": "imprint.methods.somewhere.TheWhole"}
    for number, (method, kind, more) in enumerate(
        [("lora", "folder", {"rank": 4}), ("lora", "folder", {"rank": 16}), ("dreambooth", "hub", {})]
    ):
        dataset = {"subject": "auto", "path": f"photos/my_{kind}", "nouns": "mini" if kind == "hub" else "common"}
        run = make_run(
            tmp_path / f"run-{number}",
            settings={
                "dataset": {"_target_": f"imprint.data.somewhere.{kind.title()}", **dataset},
                "method": {"_target_": kinds[method], "lr": 10.0 ** -(number + 3), **more},
            },
            drawn_at=(),
        )
        manifest = json.loads((run / "manifest.json").read_text())
        parts = {"dataset": {"_kind_": f"dataset/{kind}"}, "method": {"_kind_": f"method/{method}"}}
        (run / "manifest.json").write_text(json.dumps({**manifest, "config": parts}))
    records = find_runs([tmp_path])
    assert setting_columns([record.settings for record in records])[:4] == [
        *("dataset.subject", "method", "method.lr", "method.rank")
    ]
    assert [record.settings["method"] for record in records] == ["lora", "lora", "dreambooth"]
    names = list(labels(records).values())
    assert not [name for name in names if "nouns" in name or "dataset" in name]
    assert len(set(names)) == 3


def test_earlier_pictures_are_taken_as_far_as_they_fit(tmp_path: Path) -> None:
    """The steps that are left out are evenly spread, and the same for all runs."""
    steps = (0, 50, 100, 150, 200)
    for name in ("a-00000001", "b-00000002"):
        make_run(tmp_path / name, settings=settings(seed=name), drawn_at=steps)
    found = galleries(find_runs([tmp_path]), most=100)
    for most, kept, left_out in (
        (1000, [50, 100, 150, 200], 0),
        (16, [50, 150, 200], 1),
        (8, [50, 200], 2),
        (7, [], 3),
    ):
        [gallery] = with_steps(found, most)
        assert (gallery.steps, gallery.steps_left_out) == (kept, left_out), most
        assert all(picture.file for row in gallery.rows for picture in row.pictures), "the last ones are always there"


def test_no_two_parts_have_the_same_title(tmp_path: Path) -> None:
    for number, source in enumerate(("one", "other", "other")):
        model = {"_target_": "imprint.models.families.sd.Source", "path": source}
        path = f"photos/{number > 1}/dog6"
        make_run(tmp_path / f"run-{number}", settings=settings(model=model, path=path))
    titles = [gallery.title for gallery in galleries(find_runs([tmp_path]), most=100)]
    assert len(set(titles)) == 3
    assert all(title.startswith("dog6, ") for title in titles)
