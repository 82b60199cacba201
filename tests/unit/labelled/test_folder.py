"""A labelled data set is read as it was written; a foreign or damaged one is read, or refused in one message."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from labelled_sets import draw_rows, drawn, photo, two_subjects, write_set
from PIL import Image

from imprint.errors import PictureError, UserError
from imprint.labelled.folder import add_photo, place, read_about, read_folder, write_about, write_folder
from imprint.labelled.layout import ABOUT, METADATA, REJECTED, mask_name, picture_name, subject_folder


def test_what_is_written_is_read(tmp_path: Path) -> None:
    train, test, rejected = [drawn(masked=True), drawn(k=1)], [photo()], [drawn(k=2, reasons=("blank",))]
    write_set(tmp_path, {"train": train, "test": test}, rejected, {"asked": 3})
    found = read_folder(tmp_path)
    assert found.splits == {"train": tuple(train), "test": tuple(test)}
    assert found.rejected == tuple(rejected)
    assert found.about["asked"] == 3
    assert found.mask("train", train[0]) == tmp_path / "train" / mask_name(train[0].file_name)
    assert found.mask("train", train[1]) is None
    found.check_pictures()
    assert found.load("train", train[0]).size == (16, 16)


def test_any_prompt_can_be_written(tmp_path: Path) -> None:
    prompts = ["two\u2028lines", "a\x85b\r\n\x0bc", "Ünal 人 \U0001f415", '"{}[]\\', "\ud83d alone"]
    rows = [drawn(k=k, prompt=prompt) for k, prompt in enumerate(prompts)]
    found = read_folder(write_set(tmp_path, {"train": rows})).splits["train"]
    assert [row.prompt for row in found] == [*prompts[:-1], "? alone"]


def test_datasets_opens_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    two_subjects(tmp_path / "set")
    loaded = datasets.load_dataset(str(tmp_path / "set"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 5, "test": 2}
    first = loaded["train"][0]
    assert first["image"].size == first["mask"].size == (16, 16)
    assert loaded["train"][3]["labels"] == [{"label": "cat2", "share": 0.75}, {"label": "dog6", "share": 0.25}]
    assert loaded["train"][4]["mask"].size == (1, 1)  # which says that there is none
    encoded = loaded["train"].class_encode_column("subject")
    assert encoded.features["subject"].names == ["cat2", "dog6"]
    rejected = datasets.load_dataset(str(tmp_path / "set" / REJECTED), cache_dir=str(tmp_path / "cache"))["train"]
    assert rejected[0]["reasons"] == ["identity: nearer to cat2"]


def test_without_any_mask_there_is_no_column_of_masks(tmp_path: Path) -> None:
    write_set(tmp_path, {"train": [drawn()], "test": [photo()]})
    assert "mask_file_name" not in (tmp_path / "train" / METADATA).read_text()
    assert not (tmp_path / "train" / "masks").exists()


def test_a_test_split_holds_photos_alone(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"test/dog6/p00-k0.png: made by from_noise"):
        write_set(tmp_path, {"train": [drawn(k=1)], "test": [drawn()]})
    assert not (tmp_path / "train" / METADATA).exists()


def test_pictures_move_between_kept_and_rejected(tmp_path: Path) -> None:
    row = drawn(masked=True)
    write_set(tmp_path, {"train": [row]})
    before = (tmp_path / "train" / row.file_name).read_bytes()
    for _ in range(2):  # a killed program is repeated
        place(tmp_path, row, split=REJECTED)
    write_folder(tmp_path, splits={"train": []}, rejected=[row.judged((), ["blank"])], about={})
    found = read_folder(tmp_path)
    assert not found.splits
    assert found.rejected[0].reasons == ("blank",)
    assert (tmp_path / REJECTED / row.file_name).read_bytes() == before
    assert not (tmp_path / "train" / row.mask_file_name).exists()
    place(tmp_path, row, split="train")
    assert (tmp_path / "train" / row.file_name).read_bytes() == before
    with pytest.raises(PictureError, match="no such file"):
        place(tmp_path, drawn(k=5), split="train")


def test_a_split_that_is_no_more_is_not_read(tmp_path: Path) -> None:
    write_set(tmp_path, {"train": [drawn()], "test": [photo()]})
    write_folder(tmp_path, splits={"train": [drawn()]}, rejected=(), about={})
    assert list(read_folder(tmp_path).splits) == ["train"]
    assert (tmp_path / "test" / photo().file_name).is_file()  # nothing that was drawn or photographed is deleted


def test_photos_lose_their_metadata(tmp_path: Path) -> None:
    taken = Image.new("RGB", (8, 8), "red")
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"  # GPS
    taken.save(tmp_path / "taken.jpg", exif=exif)
    with Image.open(tmp_path / "taken.jpg") as opened:
        assert opened.getexif().get_ifd(0x8825)
        add_photo(tmp_path, opened, photo(), split="test")
    with Image.open(tmp_path / "test" / photo().file_name) as written:
        assert not written.getexif()
        assert not written.info


@pytest.mark.parametrize("splits", [["train", "test"], ["train", "val"], ["test"], [""]])
def test_folders_of_classes_are_read(tmp_path: Path, splits: list[str]) -> None:
    for split in splits:
        draw_rows(tmp_path, {split: [photo("dog6", 0), photo("dog6", 10), photo("dog6", 2), photo("a cat.", 0)]})
    (tmp_path / splits[0] / "dog6" / "p02.mask.png").write_bytes((tmp_path / splits[0] / "dog6/p02.png").read_bytes())
    (tmp_path / splits[0] / "notes.txt").write_text("x")
    found = read_folder(tmp_path)
    assert list(found.splits) == splits
    names = [row.file_name for row in found.splits[splits[0]]]
    assert names[-3:] == ["dog6/p00.png", "dog6/p02.png", "dog6/p10.png"]
    assert len(names) == 4
    assert all(row.is_real and row.labels == {row.subject: 1.0} for _, row in found.rows())
    assert [bool(found.mask(split, row)) for split, row in found.rows()][:4] == [False, False, True, False]


def test_what_is_said_beside_the_photos_of_a_class_counts(tmp_path: Path) -> None:
    draw_rows(tmp_path, {"test": [photo("dog6", 0), photo("dog6", 1), photo("cat", 0)]})
    lines = [{"file_name": "p00.png", "class": "dog", "shift": "place", "text": "a dog"}, {"file_name": "p01.png"}]
    (tmp_path / "test/dog6" / METADATA).write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    (tmp_path / "test/cat" / METADATA).write_text('{"file_name": "p00.png", "class": 7}\n{', encoding="utf-8")
    rows = {row.file_name: row for row in read_folder(tmp_path).splits["test"]}
    assert [(row.subject, row.noun, row.shift) for row in rows.values()] == [
        ("cat", "cat", ""),
        ("dog6", "dog", "place"),
        ("dog6", "dog6", ""),
    ]


def test_a_class_may_be_called_as_a_split(tmp_path: Path) -> None:
    """A toy train has pictures in its folder, a split has folders."""
    draw_rows(tmp_path, {"": [photo("train"), photo("bus")]})
    found = read_folder(tmp_path)
    assert [row.subject for row in found.splits[""]] == ["bus", "train"]


def test_a_folder_without_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folders with pictures"):
        read_folder(tmp_path)
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(UserError, match="pictures and no folders of classes"):
        read_folder(tmp_path)
    with pytest.raises(UserError, match="no such folder"):
        read_folder(tmp_path / "nowhere")


def rewrite(file: Path, change: Callable[[dict[str, Any]], None]) -> None:
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    for row in rows:
        change(row)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.parametrize("name", ["../x.png", "/etc/passwd", "a/../../x.png", "file://x.png", "..\\x", "..", "a\0"])
def test_names_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    two_subjects(tmp_path / "set")
    Image.new("RGB", (4, 4)).save(tmp_path / "x.png")
    rewrite(tmp_path / "set" / "train" / METADATA, lambda row: row.update(file_name=name))
    with pytest.raises(PictureError, match="it leads out of its folder|no name of a file"):
        read_folder(tmp_path / "set")


def test_links_that_lead_out_are_refused(tmp_path: Path) -> None:
    two_subjects(tmp_path / "set")
    outside = tmp_path / "x.png"
    Image.new("RGB", (4, 4)).save(outside)
    picture = tmp_path / "set" / "test" / photo().file_name
    picture.unlink()
    picture.symlink_to(outside)
    with pytest.raises(PictureError, match="leads out"):
        read_folder(tmp_path / "set")


def test_all_that_is_wrong_is_one_message(tmp_path: Path) -> None:
    two_subjects(tmp_path)
    lines = (tmp_path / "train" / METADATA).read_text().splitlines()
    broken = [lines[0], "{", lines[0], json.dumps({**json.loads(lines[1]), "seed": -3}), *lines[2:]]
    (tmp_path / "train" / METADATA).write_text("\n".join(broken))
    (tmp_path / "test" / photo().file_name).unlink()
    with pytest.raises(PictureError) as caught:
        read_folder(tmp_path)
    said = str(caught.value)
    assert "train/metadata.jsonl, line 2: not JSON" in said
    assert "line 3: dog6/p00-k0.png is listed twice" in said
    assert "line 4: seed=-3" in said
    assert "test/metadata.jsonl, line 1: dog6/p00.png: there is no such file" in said


def test_damaged_pictures_are_named(tmp_path: Path) -> None:
    two_subjects(tmp_path)
    found = read_folder(tmp_path)
    (tmp_path / "train" / drawn(k=1).file_name).write_bytes(b"\x89PNG")
    (tmp_path / "test" / photo().file_name).write_bytes(b"")
    with pytest.raises(PictureError) as caught:
        found.check_pictures()
    assert "train/dog6/p00-k1.png: " in str(caught.value)
    assert "test/dog6/p00.png: empty file" in str(caught.value)
    with pytest.raises(PictureError, match="empty file"):
        found.load("test", photo())


def test_of_another_version_is_said(tmp_path: Path) -> None:
    assert read_about(tmp_path) == {}
    write_about(tmp_path, {"asked": 1})
    assert read_about(tmp_path)["asked"] == 1
    about = json.loads((tmp_path / ABOUT).read_text())
    for version, said in ((about["version"] + 1, "newer imprint"), ("x", "another folder"), (None, "another folder")):
        (tmp_path / ABOUT).write_text(json.dumps({**about, "version": version}))
        with pytest.raises(UserError, match=said):
            read_about(tmp_path)
    (tmp_path / ABOUT).write_text("[]")
    with pytest.raises(UserError, match="does not say"):
        read_about(tmp_path)


@pytest.mark.parametrize("name", ["dog6", "stuffed_animal-2"])
def test_plain_subjects_keep_their_name(name: str) -> None:
    assert subject_folder(name) == name


def test_other_subjects_have_folders_that_archives_take() -> None:
    names = ["a.b", "a b", "a/b", "../..", "", "Ünal", "人", "a" * 300, "a\0b", "a" * 301]
    folders = [subject_folder(name) for name in names]
    assert len({*folders}) == len(names)
    assert all(
        set(folder) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") for folder in folders
    )
    assert picture_name("dog6", 3, 1) == "dog6/p03-k1.png"
