import io
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

from imprint.data.hub import HubDataset
from imprint.errors import ConfigError, PictureError, UserError

datasets = pytest.importorskip("datasets")


@pytest.fixture(autouse=True)
def quiet_and_offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    datasets.disable_progress_bars()


def hub_of(id: object, **changes: Any) -> HubDataset:
    settings: dict[str, Any] = {
        "subset": None,
        "revision": None,
        "split": "train",
        "image_column": "image",
        "caption_column": None,
        "identifier": "sks",
        "class_noun": "dog",
        "nouns": "common",
        "subject": "auto",
        "kind": "object",
        "holdout": 0,
    "shots": None,
        "captions": "auto",
        "caption_dropout": 0.0,
        "bad_pictures": "strict",
        "background": "white",
        "crop": "centre",
        "flip": False,
        "rights": None,
        "opt_out": "tell",
    }
    return HubDataset(id=str(id), **(settings | changes))


@pytest.fixture
def parquet(tmp_path: Path, noise) -> Path:
    """Three pictures, one of them damaged, with two captions."""

    def encoded(seed: int) -> bytes:
        file = io.BytesIO()
        noise(seed, (16, 8)).save(file, "PNG")
        return file.getvalue()

    contents = [encoded(0), encoded(1)[:100], encoded(2)]
    rows = {
        "photo": [{"bytes": content, "path": None} for content in contents],
        "text": ["first", "second", None],
        "number": [1, 2, 3],
        "blank": [" ", "second", "third"],
    }
    features = datasets.Features(
        photo=datasets.Image(),
        text=datasets.Value("string"),
        number=datasets.Value("int64"),
        blank=datasets.Value("string"),
    )
    path = tmp_path / "pictures.parquet"
    datasets.Dataset.from_dict(rows, features=features).to_parquet(path)
    return path


def test_rows_are_pictures_with_captions(parquet: Path, caplog: pytest.LogCaptureFixture) -> None:
    hub = hub_of(parquet, image_column="photo", caption_column="text", bad_pictures="skip")
    pictures = hub.open()
    assert [(picture.key, picture.caption) for picture in pictures.pictures] == [
        ("train/0", "first"),
        ("train/2", None),
    ]
    assert pictures.load(1).size == pictures.pictures[1].size == (16, 8)
    assert "train/1" in caplog.text
    there = pickle.loads(pickle.dumps(pictures))
    assert there.load(1) == pictures.load(1)


def test_own_captions_are_left_out_on_request(parquet: Path) -> None:
    hub = hub_of(parquet, image_column="photo", caption_column="blank", bad_pictures="skip", captions="template")
    assert {picture.caption for picture in hub.open().pictures} == {None}


def test_bad_pictures_and_captions_are_told_together(parquet: Path) -> None:
    with pytest.raises(PictureError) as caught:
        hub_of(parquet, image_column="photo", caption_column="blank").open()
    assert "train/1: damaged" in str(caught.value)
    assert "row 0: the caption is empty" in str(caught.value)


def test_a_folder_of_pictures(tmp_path: Path, noise) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    noise(0, (16, 8)).save(folder / "a.png")
    (folder / "metadata.jsonl").write_text('{"file_name": "a.png", "text": "a dog"}')
    (picture,) = hub_of(folder, caption_column="text").open().pictures
    assert picture.caption == "a dog"
    assert picture.size == (16, 8)


def test_wrong_columns_are_told_together_with_those_there_are(parquet: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        hub_of(parquet, caption_column="caption").open()
    for part in ("dataset.image_column='image'", "dataset.caption_column='caption'", "photo, text, number"):
        assert part in str(caught.value)


def test_a_column_of_something_else_is_refused(parquet: Path) -> None:
    with pytest.raises(UserError, match=r"dataset\.image_column='number'"):
        hub_of(parquet, image_column="number").open()


def test_an_unreachable_hub_says_what_was_looked_for_and_the_remedy() -> None:
    with pytest.raises(UserError) as caught:
        hub_of("nobody/nothing", subset="dog6", revision="abc").open()
    for part in (
        "dataset.id='nobody/nothing'",
        "subset dog6",
        "revision abc",
        "split train",
        "local copy",
        "folder",
    ):
        assert part in str(caught.value)


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UserError, match=r"extra `hub`"):
        hub_of("nobody/nothing").open()
