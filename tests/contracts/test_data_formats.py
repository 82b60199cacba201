"""Every format of conf/data_format: it binds, and what it writes has all pictures, soft labels and marks."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from composed import compose
from labelled_sets import two_subjects
from PIL import Image

from imprint.config import choices
from imprint.errors import UserError
from imprint.labelled.folder import LabelledFolder, read_folder
from imprint.labelled.row import Row
from imprint.pictures.files import open_picture
from imprint.provenance.base import MadeBy
from imprint.provenance.mark import Mark
from imprint.provenance.marks import read_marks
from imprint.verbs.export import export

pytest.importorskip("pycocotools", reason="the extra formats is not installed")

FORMATS = choices("data_format")
SOFT = {"cat2": 0.75, "dog6": 0.25}
GPS = 0x8825

Labels = dict[str, float]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> LabelledFolder:
    """Drawn pictures are marked; a photo in a foreign format knows where it was taken."""
    folder = two_subjects(tmp_path_factory.mktemp("sets") / "pets")
    found = read_folder(folder)
    for row in found.splits["train"]:
        file = folder / "train" / row.file_name
        Mark().save(open_picture(file), file, MadeBy(("ab" * 32,), ()))
    photo = folder / "test" / found.splits["test"][0].file_name
    exif = Image.Exif()
    exif.get_ifd(GPS)[1] = "N"
    open_picture(photo).save(photo, exif=exif)
    return found


def written(data: LabelledFolder, format: str, out: Path | None = None) -> Path:
    given = [f"run={data.folder}", f"format={format}", *([f"out={out}"] if out else [])]
    return export(compose("export", given))


def of_folder(folder: Path) -> dict[str, Labels]:
    found = read_folder(folder)
    found.check_pictures()
    return {f"{split}/{row.file_name}": dict(row.labels) for split, row in found.rows()}


def of_shards(folder: Path) -> dict[str, Labels]:
    webdataset = pytest.importorskip("webdataset")
    found = {}
    for split in ("train", "test"):
        shards = sorted(str(file) for file in folder.glob(f"{split}-*.tar"))
        for sample in webdataset.WebDataset(shards, shardshuffle=False, empty_check=False).decode("pil"):
            assert sample["png"].size == (16, 16)
            names = json.loads((folder / "labels.json").read_text())
            labels = {pair["label"]: pair["share"] for pair in sample["json"]["labels"]}
            assert names[sample["cls"]] == max(labels, key=lambda label: labels[label])
            found[f"{split}/{sample['__key__']}.png"] = labels
    return found


def of_coco(folder: Path) -> dict[str, Labels]:
    found = {}
    for split in ("train", "test"):
        content = json.loads((folder / "annotations" / f"{split}.json").read_text())
        for image in content["images"]:
            assert open_picture(folder / split / image["file_name"]).size == (image["width"], image["height"])
            found[f"{split}/{image['file_name']}"] = {pair["label"]: pair["share"] for pair in image["labels"]}
    return found


def of_croissant(file: Path) -> dict[str, Labels]:
    croissant = pytest.importorskip("mlcroissant")
    read = croissant.Dataset(jsonld=str(file))  # which validates
    assert not read.metadata.ctx.issues.errors
    found = {}
    for split in ("train", "test"):
        for record in read.records(split):
            pairs = record[f"{split}/labels"]
            labels = {pair[f"{split}/labels/label"].decode(): pair[f"{split}/labels/share"] for pair in pairs}
            found[f"{split}/{record[f'{split}/file_name'].decode()}"] = labels
    return found


READERS: Mapping[str, Callable[[Path], dict[str, Labels]]] = {
    "imagefolder": of_folder,
    "webdataset": of_shards,
    "coco": of_coco,
    "croissant": of_croissant,
}


@pytest.mark.parametrize("format", FORMATS)
def test_labels_survive(data: LabelledFolder, format: str, tmp_path: Path) -> None:
    out = written(data, format, None if format == "croissant" else tmp_path / "out")
    found = READERS[format](out)
    assert found == {f"{split}/{row.file_name}": dict(row.labels) for split, row in data.rows()}
    assert SOFT in found.values()


@pytest.mark.parametrize("format", [format for format in FORMATS if format != "croissant"])
def test_drawn_pictures_keep_their_marks_and_photos_lose_where_they_were_taken(
    data: LabelledFolder, format: str, tmp_path: Path
) -> None:
    out = written(data, format, tmp_path / "out")
    pictures = dict(_pictures(out))
    for split, row in data.rows():
        content = pictures[f"{split}/{row.file_name}"]
        own = data.file(split, row)
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(content))), np.asarray(open_picture(own)))
        if row.is_real:
            with Image.open(io.BytesIO(content)) as opened:
                assert not opened.info
                assert not opened.getexif()
        else:
            assert content == own.read_bytes()
            assert read_marks(content).synthetic == ["trainedAlgorithmicMedia"]
    assert len(pictures) == len(list(data.rows()))
    assert not [file for file in out.rglob("*") if "p09" in file.name]  # which was rejected


def _pictures(out: Path) -> Any:
    for file in out.rglob("*.png"):
        if "masks" not in file.parts:
            yield file.relative_to(out).as_posix(), file.read_bytes()
    for shard in out.glob("*.tar"):
        with tarfile.open(shard) as tar:
            for entry in tar:
                if entry.name.endswith(".png") and not entry.name.endswith(".mask.png"):
                    content = tar.extractfile(entry)
                    assert content is not None
                    yield f"{shard.name.partition('-')[0]}/{entry.name}", content.read()


@pytest.mark.parametrize("format", FORMATS)
def test_written_twice_it_is_the_same(data: LabelledFolder, format: str, tmp_path: Path) -> None:
    hashes = []
    for _ in range(2):
        out = written(data, format, None if format == "croissant" else tmp_path / "out")
        files = [out] if out.is_file() else sorted(file for file in out.rglob("*") if file.is_file())
        hashes.append([(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files])
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize("format", [format for format in FORMATS if format != "croissant"])
def test_folders_of_classes_can_be_written_whatever_they_are_called(format: str, tmp_path: Path) -> None:
    pictures = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "green")]
    for name, picture in zip(("a dog.v2/x.1.jpg", "a dog.v2/x.1.png", "cat/1.bmp"), pictures, strict=True):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
        picture.save(tmp_path / "photos" / name)
    out = written(read_folder(tmp_path / "photos"), format)
    assert out == tmp_path / f"photos-{format}"
    files = dict(_pictures(out))
    assert len(files) == 3
    assert all(name.count(".") == 1 and name.startswith("train/") for name in files)


@pytest.mark.parametrize("format", FORMATS)
def test_a_damaged_picture_is_named_and_nothing_is_written(format: str, tmp_path: Path) -> None:
    folder = two_subjects(tmp_path / "pets")
    (folder / "train" / "dog6" / "p00-k1.png").write_bytes(b"")
    with pytest.raises(UserError, match=r"train/dog6/p00-k1\.png: empty file"):
        written(read_folder(folder), format)
    assert {path.name for path in tmp_path.iterdir()} == {"pets"}
    assert not (folder / "croissant.json").exists()


def test_labels_of_a_row_are_ordered_by_share() -> None:
    from imprint.labelled.formats.base import main_label

    row = Row(file_name="a", subject="a", noun="a", labels={"b": 0.5, "a": 0.5, "c": 0.0}, source="real")
    assert main_label(row) == "a"
