"""Folders named as kohya's scripts want them."""

from pathlib import Path
from typing import Any

import pytest
from folder_settings import FOLDER_SETTINGS

from imprint.data.kohya import KohyaFolder, Named, named


def dataset(path: Path, **changes: Any) -> KohyaFolder:
    return KohyaFolder(path=str(path), **(FOLDER_SETTINGS | {"class_noun": "auto"} | changes))


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("10_sks dog", Named("sks", "dog")),
        ("5_ohwx toy car", Named("ohwx", "toy car")),
        ("1_dog", Named(None, "dog")),
        ("sks dog", None),
        ("10_", None),
        ("10", None),
    ],
)
def test_what_a_name_says(name: str, found: Named | None) -> None:
    assert named(Path("img") / name) == found


@pytest.fixture
def parent(tmp_path: Path, noise) -> Path:
    folder = tmp_path / "img" / "10_sks dog"
    folder.mkdir(parents=True)
    noise(0, (16, 16)).save(folder / "0.png")
    (folder / "0.txt").write_text("sks dog on a sofa")
    return folder.parent


@pytest.mark.parametrize("inside", ["", "10_sks dog"])
def test_the_folder_and_the_one_above_it_are_the_same(parent: Path, inside: str) -> None:
    found = dataset(parent / inside)
    assert (found.identifier, found.class_noun) == ("sks", "dog")
    assert [picture.caption for picture in found.open().pictures] == ["sks dog on a sofa"]


def test_what_was_given_counts(parent: Path) -> None:
    found = dataset(parent, identifier="ohwx", class_noun="puppy")
    assert (found.identifier, found.class_noun) == ("ohwx", "puppy")


def test_several_subjects_are_no_single_one(parent: Path) -> None:
    (parent / "3_ohwx cat").mkdir()
    with pytest.raises(ValueError, match=r"several \(10_sks dog, 3_ohwx cat\).*dataset=joint"):
        dataset(parent)


def test_other_names_are_told_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "dogs").mkdir()
    with pytest.raises(ValueError, match=r"called like '10_sks dog'.*dataset=folder"):
        dataset(tmp_path)


def test_a_run_of_another_machine_is_read_without_its_folder(tmp_path: Path) -> None:
    found = dataset(tmp_path / "elsewhere" / "10_sks dog")
    assert (found.identifier, found.class_noun) == ("sks", "dog")
