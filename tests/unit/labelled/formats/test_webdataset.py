"""Shards: how large, and in which order."""

import tarfile
from pathlib import Path

from labelled_sets import drawn, two_subjects, write_set

from imprint.labelled.folder import read_folder
from imprint.labelled.formats.webdataset import WebDataset


def shards(folder: Path, pictures: int) -> dict[str, list[str]]:
    count = 7
    rows = [drawn(subject, k=k) for subject in ("a", "b", "c") for k in range(count)]
    data = read_folder(write_set(folder / "set", {"train": rows}))
    WebDataset(pictures=pictures).write(data, folder / f"out{pictures}")
    found = {}
    for file in sorted((folder / f"out{pictures}").glob("*.tar")):
        with tarfile.open(file) as tar:
            found[file.name] = [entry.name for entry in tar if entry.name.endswith(".png")]
    return found


def test_a_shard_has_so_many_pictures_at_most_and_several_subjects(tmp_path: Path) -> None:
    found = shards(tmp_path, 8)
    assert {name: len(files) for name, files in found.items()} == {
        "train-000000.tar": 8, "train-000001.tar": 8, "train-000002.tar": 5
    }  # fmt: skip
    assert len({file for files in found.values() for file in files}) == 21
    assert all(len({file[0] for file in files}) > 1 for files in found.values())


def test_the_order_does_not_depend_on_the_shards(tmp_path: Path) -> None:
    few, many = shards(tmp_path, 4), shards(tmp_path, 1000)
    assert [file for files in few.values() for file in files] == [file for files in many.values() for file in files]


def test_a_mask_lies_beside_its_picture_and_a_key_has_no_dots(tmp_path: Path) -> None:
    WebDataset(pictures=100).write(read_folder(two_subjects(tmp_path / "set")), tmp_path / "out")
    with tarfile.open(tmp_path / "out" / "train-000000.tar") as tar:
        names = [entry.name for entry in tar]
        assert all(entry.mtime == 0 and not entry.uname for entry in tar)
    keys = {name.partition(".")[0] for name in names}
    assert sum(name.endswith(".mask.png") for name in names) == 4
    assert len(keys) == 5
    assert {name[len(key) :] for key in keys for name in names if name.startswith(key)} == {
        ".png", ".json", ".cls", ".mask.png"
    }  # fmt: skip
