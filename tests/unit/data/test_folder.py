import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest
from folder_settings import FOLDER_SETTINGS
from PIL import Image
from skips import NOT_HERE

from imprint.data.folder import PictureFolder
from imprint.data.reading import open_files
from imprint.errors import ConfigError, PictureError, UserError


def folder_of(path: Path, **changes: Any) -> PictureFolder:
    return PictureFolder(path=str(path), **(FOLDER_SETTINGS | changes))


@pytest.fixture
def photos(tmp_path: Path, noise) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in (0, 2, 10):
        noise(index, (16, 8)).save(folder / f"{index}.png")
    return folder


def test_pictures_stand_in_natural_order_with_their_upright_sizes(photos: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (16, 8)).save(photos / "3.JPG", exif=exif)
    pictures = folder_of(photos).open()
    assert [picture.key for picture in pictures.pictures] == ["0.png", "2.png", "3.JPG", "10.png"]
    assert [picture.size for picture in pictures.pictures] == [(16, 8), (16, 8), (8, 16), (16, 8)]
    assert all(pictures.load(i).size == picture.size for i, picture in enumerate(pictures.pictures))
    assert len(pictures) == 4


def test_what_the_system_and_the_user_leave_beside_pictures_is_passed_over(photos: Path) -> None:
    for name in ("._0.png", ".hidden.png", "Thumbs.db", "notes.md", "0.txt", "metadata.jsonl.bak"):
        (photos / name).write_text("no picture")
    (photos / "more").mkdir()
    (photos / "folder.png").mkdir()
    assert len(folder_of(photos).open()) == 3


@pytest.mark.parametrize("name", ["犬 (1).png".encode(), b"\xff\xfe.png", b"new\nline.png", b"100%{x}.png"])
def test_odd_names(photos: Path, name: bytes) -> None:
    try:
        shutil.copy(photos / "0.png", os.fsdecode(photos) + "/" + os.fsdecode(name))
    except OSError:
        pytest.skip(f"{NOT_HERE} the file system does not take the name")
    (photos / "0.png").unlink()
    pictures = folder_of(photos).open()
    assert len(pictures) == 3
    assert all(picture.key.isprintable() and picture.key.encode() for picture in pictures.pictures)
    assert [pictures.load(index).size for index in range(3)] == [(16, 8)] * 3


class TestBadPictures:
    @pytest.fixture
    def mixed(self, photos: Path) -> Path:
        (photos / "empty.jpg").touch()
        (photos / "page.jpg").write_text("<html></html>")
        (photos / "phone.heic").write_bytes(b"\x00\x00\x00\x18ftypheic")
        (photos / "cut.png").write_bytes((photos / "0.png").read_bytes()[:200])
        (photos / "link.png").symlink_to("nowhere.png")
        return photos

    def test_strict_names_them_all_in_one_error(self, mixed: Path) -> None:
        with pytest.raises(PictureError) as caught:
            folder_of(mixed).open()
        message = str(caught.value)
        for part in (
            "empty.jpg: empty",
            "page.jpg: not",
            "phone.heic: ",
            "cut.png: ",
            "link.png: ",
            str(mixed),
        ):
            assert part in message
        assert "bad_pictures=skip" in message
        assert "2.png" not in message

    def test_skip_names_them_all_in_one_warning(self, mixed: Path, caplog: pytest.LogCaptureFixture) -> None:
        pictures = folder_of(mixed, bad_pictures="skip").open()
        assert [picture.key for picture in pictures.pictures] == ["0.png", "2.png", "10.png"]
        assert [pictures.load(index).size for index in range(3)] == [(16, 8)] * 3
        assert len(caplog.records) == 1
        for name in ("empty.jpg", "page.jpg", "phone.heic", "cut.png", "link.png"):
            assert name in caplog.text

    def test_nothing_left_after_skipping_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "empty.jpg").touch()
        with pytest.raises(PictureError, match="none of the pictures"):
            folder_of(tmp_path, bad_pictures="skip").open()

    def test_bad_captions_and_bad_pictures_are_told_together(self, mixed: Path) -> None:
        (mixed / "metadata.jsonl").write_text('nonsense\n{"file_name": "7.png", "text": "seven"}')
        with pytest.raises(PictureError) as caught:
            folder_of(mixed).open()
        for part in (
            "metadata.jsonl line 1",
            "metadata.jsonl line 2: names 7.png",
            "empty.jpg",
            "captions=template",
        ):
            assert part in str(caught.value)

    def test_captions_are_not_skipped_with_pictures(self, photos: Path) -> None:
        (photos / "0.txt").write_text(" ")
        with pytest.raises(PictureError, match=r"0\.txt: the caption is empty"):
            folder_of(photos, bad_pictures="skip").open()

    def test_a_file_that_changes_later_is_noticed(self, photos: Path, noise) -> None:
        pictures = folder_of(photos).open()
        noise(99, (16, 8)).save(photos / "0.png")
        (photos / "2.png").unlink()
        for index, name in ((0, "0.png"), (1, "2.png")):
            with pytest.raises(PictureError, match=name):
                pictures.load(index)


class TestNoPictures:
    def test_missing_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"dataset\.path=.*gone.*no such folder"):
            folder_of(tmp_path / "gone").open()

    def test_a_file_instead(self, photos: Path) -> None:
        with pytest.raises(UserError, match=r"this is a file\. Give the folder"):
            folder_of(photos / "0.png").open()

    def test_empty_folder(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"nothing at all.*\.jpg"):
            folder_of(tmp_path).open()

    def test_only_hidden_pictures(self, tmp_path: Path) -> None:
        for name in (".a.png", "...png"):
            (tmp_path / name).touch()
        with pytest.raises(UserError, match=r"begin with a dot \(\.\.\.png, \.a\.png\)\. Rename them"):
            folder_of(tmp_path).open()

    def test_only_folders(self, photos: Path) -> None:
        with pytest.raises(UserError, match=r"only folders \(photos\)"):
            folder_of(photos.parent).open()

    def test_only_other_files(self, tmp_path: Path) -> None:
        (tmp_path / "a.psd").touch()
        with pytest.raises(UserError, match=r"only other files \(\.psd\)"):
            folder_of(tmp_path).open()


class TestCaptions:
    def test_own_ones_are_used_or_not_even_read(self, photos: Path) -> None:
        (photos / "2.txt").write_text("two")
        (photos / "10.txt").write_text("ten")
        own = folder_of(photos).open()
        assert [picture.caption for picture in own.pictures] == [None, "two", "ten"]
        (photos / "2.txt").write_bytes(b"\xff")
        templates = folder_of(photos, captions="template").open()
        assert [picture.caption for picture in templates.pictures] == [None] * 3


class TestFingerprint:
    def test_it_depends_on_neither_place_nor_names(self, photos: Path, tmp_path: Path) -> None:
        before = folder_of(photos).open().fingerprint
        moved = photos.rename(tmp_path / "moved")
        (moved / "10.png").rename(moved / "11.png")
        assert folder_of(moved).open().fingerprint == before

    def test_it_depends_on_content_captions_order_and_background(self, photos: Path, noise) -> None:
        seen = {
            folder_of(photos).open().fingerprint,
            folder_of(photos, background="black").open().fingerprint,
        }
        (photos / "0.txt").write_text("zero")
        seen.add(folder_of(photos).open().fingerprint)
        (photos / "0.txt").rename(photos / "2.txt")
        seen.add(folder_of(photos).open().fingerprint)
        noise(7).save(photos / "10.png")
        seen.add(folder_of(photos).open().fingerprint)
        (photos / "10.png").rename(photos / "1.png")
        seen.add(folder_of(photos).open().fingerprint)
        assert len(seen) == 6

    def test_a_colour_is_the_same_by_name_and_by_value(self, photos: Path) -> None:
        named, valued = (folder_of(photos, background=colour).open() for colour in ("white", "#FFFFFF"))
        assert named.fingerprint == valued.fingerprint


def test_duplicates_are_named_in_one_warning(photos: Path, caplog: pytest.LogCaptureFixture) -> None:
    shutil.copy(photos / "0.png", photos / "3.png")
    assert len(folder_of(photos).open()) == 4
    assert len(caplog.records) == 1
    assert "0.png = 3.png" in caplog.text


def test_a_set_can_be_sent_to_another_process(photos: Path) -> None:
    pictures = folder_of(photos).open()
    there = pickle.loads(pickle.dumps(pictures))
    assert there.pictures == pictures.pictures
    assert there.load(1) == pictures.load(1)


def test_files_are_taken_in_the_order_given(photos: Path) -> None:
    files = [photos / "10.png", photos / "0.png"]
    assert [picture.key for picture in open_files(files).pictures] == ["10.png", "0.png"]


def test_every_wrong_setting_of_a_subject_is_told() -> None:
    with pytest.raises(ValueError, match="identifier=") as caught:
        folder_of(Path(), identifier=" ", class_noun="", background="whitish")
    assert "class_noun=" in str(caught.value)
    assert "background='whitish'" in str(caught.value)


def test_the_first_shots_are_taken_of_what_is_not_kept_out(photos: Path) -> None:
    everything = folder_of(photos, holdout=1).parts()
    few = folder_of(photos, holdout=1, shots=1).parts()
    assert everything.held_out is not None
    assert few.held_out is not None
    assert [picture.key for picture in few.trained.pictures] == [everything.trained.pictures[0].key]
    assert few.held_out.fingerprint == everything.held_out.fingerprint
    with pytest.raises(ConfigError, match=r"dataset\.shots=3: there are only 2"):
        folder_of(photos, holdout=1, shots=3).open()
