"""What is tested on is photos that nothing was learned from."""

import io
from collections.abc import Sequence
from pathlib import Path

import pytest
from labelled_sets import drawn, photo
from PIL import Image, ImageOps
from torch import Tensor

from imprint.errors import PictureError
from imprint.labelled import splits
from imprint.labelled.folder import LabelledFolder, read_folder, write_folder
from imprint.labelled.row import Row
from imprint.labelled.splits import check_splits
from imprint.miniature.references import references
from imprint.pictures.likeness import Pixels

PHOTOS = references("dog6")


Pictures = Sequence[tuple[Row, Image.Image]]


def data(folder: Path, train: Pictures, test: Pictures) -> LabelledFolder:
    splits = {"train": train, "test": test}
    for split, rows in splits.items():
        for row, picture in rows:
            file = folder / split / row.file_name
            file.parent.mkdir(parents=True, exist_ok=True)
            picture.save(file)
    rows_of = {split: [row for row, _ in rows] for split, rows in splits.items()}
    write_folder(folder, splits=rows_of, rejected=(), about={})
    return read_folder(folder)


def jpeg(picture: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=70)
    return Image.open(buffer).convert("RGB")


@pytest.mark.parametrize(
    ("copy", "said"),
    [
        (PHOTOS[0], "shows the same as"),
        (ImageOps.mirror(PHOTOS[0]), "shows the same as"),
        (jpeg(PHOTOS[0]), "test/dog6/p00.png"),
        (PHOTOS[0].crop((4, 6, 56, 58)), "repeats a part of"),
    ],
)
def test_a_copy_on_both_sides_is_refused_by_name(tmp_path: Path, copy: Image.Image, said: str) -> None:
    found = data(tmp_path, [(drawn(k=1), PHOTOS[1]), (drawn(k=2), copy)], [(photo(), PHOTOS[0])])
    with pytest.raises(PictureError) as caught:
        check_splits(found)
    assert "train/dog6/p00-k2.png" in str(caught.value)
    assert said in str(caught.value)
    assert "p00-k1" not in str(caught.value)


def test_different_photos_of_a_subject_may_be_on_both_sides(tmp_path: Path) -> None:
    rows = [(drawn(k=number), picture) for number, picture in enumerate(PHOTOS[1:])]
    check_splits(data(tmp_path, rows, [(photo(), PHOTOS[0])]))


def test_children_of_a_photo_stay_in_its_split(tmp_path: Path) -> None:
    child = drawn(k=3, parent=photo().file_name, source="img2img")
    found = data(tmp_path, [(child, PHOTOS[1])], [(photo(), PHOTOS[0])])
    with pytest.raises(PictureError, match=r"p00-k3\.png was made from test/dog6/p00\.png"):
        check_splits(found)


def test_a_test_folder_of_its_own_is_checked_alike(tmp_path: Path) -> None:
    train = data(tmp_path / "train", [(drawn(), PHOTOS[0])], [])
    (tmp_path / "photos" / "dog").mkdir(parents=True)
    PHOTOS[2].save(tmp_path / "photos" / "dog" / "2.png")
    check_splits(train, tested=read_folder(tmp_path / "photos"))
    ImageOps.mirror(PHOTOS[0]).save(tmp_path / "photos" / "dog" / "0.png")
    with pytest.raises(PictureError, match=r"shows the same as dog/0\.png"):
        check_splits(train, tested=read_folder(tmp_path / "photos"))
    drawn_test = data(tmp_path / "drawn", [(drawn(), PHOTOS[2])], [])
    with pytest.raises(PictureError, match="was made by from_noise"):
        check_splits(train, tested=drawn_test)


def test_a_cut_is_found_in_a_folder_that_does_not_say_what_its_subjects_are(tmp_path: Path) -> None:
    train = data(tmp_path / "train", [(drawn(k=1), PHOTOS[1]), (drawn(k=2), PHOTOS[0].crop((4, 6, 56, 58)))], [])
    (tmp_path / "photos" / "dog6").mkdir(parents=True)
    PHOTOS[0].save(tmp_path / "photos" / "dog6" / "0.png")
    with pytest.raises(PictureError, match=r"dog6/p00-k2\.png repeats a part of dog6/0\.png") as caught:
        check_splits(train, tested=read_folder(tmp_path / "photos"))
    assert "p00-k1" not in str(caught.value)


def test_what_was_compared_before_is_not_compared_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMPRINT_CACHE", str(tmp_path / "cache"))
    cut = PHOTOS[0].crop((4, 6, 56, 58))
    rows = [(drawn(k=1), PHOTOS[1]), (drawn(k=2), cut)]
    with pytest.raises(PictureError, match="p00-k2.png repeats a part"):
        check_splits(data(tmp_path / "one", rows, [(photo(), PHOTOS[0])]))
    looked: list[int] = []
    usual = splits.either_way

    def look(pictures: Pixels, others: Pixels, *, threshold: float) -> Tensor:
        looked.append(len(pictures))
        return usual(pictures, others, threshold=threshold)

    monkeypatch.setattr(splits, "either_way", look)
    again = data(tmp_path / "two", [*rows, (drawn(k=3), PHOTOS[2])], [(photo(), PHOTOS[0])])
    with pytest.raises(PictureError, match="p00-k2.png repeats a part"):
        check_splits(again)
    assert looked == [1], "the new picture alone"
    for file in (tmp_path / "cache").rglob("*.json"):
        file.write_text("{", encoding="utf-8")
    with pytest.raises(PictureError, match="p00-k2.png repeats a part"):
        check_splits(again)
    assert looked == [1, 3], "what cannot be read is looked at again"


def test_of_what_nobody_learns_from_no_parts_are_looked_for(tmp_path: Path) -> None:
    found = data(tmp_path, [(drawn(k=2), PHOTOS[0].crop((4, 6, 56, 58)))], [(photo(), PHOTOS[0])])
    [part] = splits.shared_with_test(found, tested=None).parts
    assert not splits.shared_with_test(found, tested=None, unused={part.content}).parts
