import shutil
from pathlib import Path

import pytest
from PIL import Image, ImageOps

from imprint.data.holdout import first, split
from imprint.data.pictures import PictureSet
from imprint.data.reading import open_files
from imprint.errors import ConfigError

SIZE = (48, 40)


@pytest.fixture
def photos(tmp_path: Path, noise) -> list[Path]:
    """Four pictures that differ."""
    files = [tmp_path / f"{index}.png" for index in range(4)]
    for index, file in enumerate(files):
        noise(index, (3, 2)).resize(SIZE).save(file)
    return files


def keys(pictures: PictureSet | None) -> list[str]:
    return [] if pictures is None else [picture.key for picture in pictures.pictures]


def test_without_a_holdout_nothing_changes(photos: list[Path]) -> None:
    pictures = open_files(photos)
    trained, held_out = split(pictures, 0)
    assert held_out is None
    assert trained.fingerprint == pictures.fingerprint


@pytest.mark.parametrize("count", [1, 2, 3])
def test_so_many_are_kept_out_and_the_rest_is_trained_on_in_its_order(photos: list[Path], count: int) -> None:
    trained, held_out = split(open_files(photos), count)
    assert len(held_out or ()) == count
    assert keys(trained) == [key for key in keys(open_files(photos)) if key not in keys(held_out)]


def test_a_part_still_loads_its_own_pictures(photos: list[Path]) -> None:
    for part in split(open_files(photos), 2):
        assert part is not None
        for index, picture in enumerate(part.pictures):
            assert part.load(index).tobytes() == Image.open(photos[0].parent / picture.key).tobytes()


def test_a_larger_holdout_keeps_what_a_smaller_one_kept(photos: list[Path]) -> None:
    assert set(keys(split(open_files(photos), 1).held_out)) < set(keys(split(open_files(photos), 2).held_out))


def test_neither_names_nor_order_decide(photos: list[Path], tmp_path: Path) -> None:
    _, before = split(open_files(photos), 2)
    renamed = [shutil.copy(file, tmp_path / f"{9 - index}-other.png") for index, file in enumerate(photos)]
    _, after = split(open_files([Path(file) for file in reversed(renamed)]), 2)
    assert before is not None
    assert after is not None
    assert {picture.content for picture in before.pictures} == {picture.content for picture in after.pictures}


@pytest.mark.parametrize("copy", ["exact", "mirrored", "saved again", "mirrored and scaled"])
def test_a_copy_goes_where_its_original_goes(
    copy: str, photos: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for original in photos:
        file = tmp_path / f"copy-of-{original.stem}.jpg"
        image = Image.open(original)
        if copy == "exact":
            shutil.copy(original, file)
        elif copy == "mirrored":
            ImageOps.mirror(image).save(file, "PNG")
        elif copy == "saved again":
            image.save(file, quality=90)
        else:
            ImageOps.mirror(image).resize((96, 80)).save(file, quality=95)
        caplog.clear()
        trained, held_out = split(open_files([*photos, file]), 2)
        assert (original.name in keys(held_out)) == (file.name in keys(held_out))
        assert len(trained) + len(held_out or ()) == 5
        assert len({key.removeprefix("copy-of-").partition(".")[0] for key in keys(held_out)}) == 2
        assert f"{original.name} = {file.name}" in caplog.text
        file.unlink()


def test_different_pictures_are_no_copies(photos: list[Path], caplog: pytest.LogCaptureFixture) -> None:
    split(open_files(photos), 1)
    assert not caplog.text


@pytest.mark.parametrize(("count", "most"), [(4, 3), (9, 3)])
def test_one_must_be_left_to_train_on(photos: list[Path], count: int, most: int) -> None:
    with pytest.raises(ConfigError, match=rf"dataset.holdout={count}: .*Give at most {most}, or add pictures"):
        split(open_files(photos), count)


def test_copies_of_one_picture_leave_nothing_to_keep(photos: list[Path], tmp_path: Path) -> None:
    ImageOps.mirror(Image.open(photos[0])).save(tmp_path / "mirrored.png")
    with pytest.raises(ConfigError, match=r"dataset.holdout=1: there is only one picture \(copies do not count\)"):
        split(open_files([photos[0], tmp_path / "mirrored.png"]), 1)


def test_the_first_shots_are_a_part_of_more(photos: list[Path]) -> None:
    pictures = open_files(photos)
    assert [keys(first(pictures, shots)) for shots in (1, 2, 4, None)] == [
        ["0.png"],
        ["0.png", "1.png"],
        keys(pictures),
        keys(pictures),
    ]
    assert first(pictures, 4).fingerprint == pictures.fingerprint


def test_more_shots_than_there_are_pictures_are_refused(photos: list[Path]) -> None:
    with pytest.raises(ConfigError, match=r"dataset\.shots=5: there are only 4 to train on"):
        first(open_files(photos), 5)
