"""The data card."""

from pathlib import Path

import pytest
import yaml
from labelled_sets import drawn, photo, two_subjects, write_set

from imprint.labelled.card import card
from imprint.labelled.folder import read_folder
from imprint.labelled.formats.imagefolder import describe


def test_it_has_the_hubs_tags_and_counts(tmp_path: Path) -> None:
    text = card(read_folder(two_subjects(tmp_path)), name="pets")
    _, front, body = text.split("---\n", 2)
    tags = yaml.safe_load(front)
    assert "synthetic" in tags["tags"]
    assert tags["annotations_creators"] == ["machine-generated"]
    assert tags["size_categories"] == ["n<1K"]
    assert "7 pictures of 2 subjects, of which 5 were made by a program" in body
    assert "| `train` | `dog6` | `dog` | 3 | 0 | 0 | 2 |" in body
    assert "1 by identity" in body
    assert "class_encode_column" in body
    assert "Rights in the photos: not stated." in body


def test_it_says_what_drew_them_and_whose_photos_they_were(tmp_path: Path) -> None:
    about = {
        "settings": {"images": 60, "synthesis": {"name": "from_noise"}, "runs": {"dog6": "dog6-lora-0123"}},
        "rights": {"dog6": "own photos", "cat2": None},
        "opt_outs": ["cat2/01.jpg: DMI-PROHIBITED"],
        "imprint": "1.2",
    }
    write_set(tmp_path, {"train": [drawn()]}, about=about)
    text = card(read_folder(tmp_path), name="pets")
    for said in (
        "Made with imprint 1.2.",
        "- dog6: `dog6-lora-0123`",
        "images: 60",
        "Rights in the photos of dog6: own photos.",
        "Rights in the photos of cat2: not stated.",
        "cat2/01.jpg: DMI-PROHIBITED",
    ):
        assert said in text


def test_what_folders_are_called_is_no_markup(tmp_path: Path) -> None:
    write_set(tmp_path, {"train": [drawn(subject="<b>|x", noun="[a](b)")]}, about={"rights": {"# x": "<script>"}})
    text = card(read_folder(tmp_path), name="# pets <i>\n---")
    assert "<script>" not in text
    assert "\n# pets <i>" not in text
    assert "| `train` | `<b>\\|x` |" in text


def test_real_photos_alone_are_not_called_synthetic(tmp_path: Path) -> None:
    write_set(tmp_path, {"train": [photo()]})
    text = card(read_folder(tmp_path), name="photos")
    assert "synthetic" not in yaml.safe_load(text.split("---\n")[1])["tags"]
    assert "made by a program" not in text.split("## Rights")[0]


@pytest.mark.parametrize("about", [{"settings": [1]}, {"rights": 3, "runs": "x"}, {"opt_outs": {"a": 1}}])
def test_another_versions_facts_are_passed_over(tmp_path: Path, about: dict[str, object]) -> None:
    write_set(tmp_path, {"train": [drawn()]}, about=about)
    assert "1 pictures of 1 subjects" in card(read_folder(tmp_path), name="pets")


def test_described_data_sets_still_load(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    describe(read_folder(two_subjects(tmp_path / "pets")), name="pets")
    loaded = datasets.load_dataset(str(tmp_path / "pets"), cache_dir=str(tmp_path / "cache"))
    assert {split: len(rows) for split, rows in loaded.items()} == {"train": 5, "test": 2}
