"""imprint export of a labelled data set: where it is written, and what is refused."""

from pathlib import Path

import pytest
from composed import compose
from labelled_sets import two_subjects

from imprint.errors import UserError
from imprint.verbs.export import export


def written(*given: str) -> Path:
    return export(compose("export", list(given)))


def test_it_is_written_beside_the_data_set_or_where_the_user_says(tmp_path: Path) -> None:
    folder = two_subjects(tmp_path / "pets")
    assert written(f"run={folder}", "format=webdataset") == tmp_path / "pets-webdataset"
    assert written(f"run={folder}", "format=webdataset", f"out={tmp_path / 'x'}") == tmp_path / "x"
    assert written(f"run={folder}", "format=coco", f"out={tmp_path / 'x'}") == tmp_path / "x"  # in place of the former
    assert not list((tmp_path / "x").glob("*.tar"))
    assert written(f"run={folder}", "format=croissant") == folder / "croissant.json"


def test_settings_of_a_format_can_be_given(tmp_path: Path) -> None:
    out = written(f"run={two_subjects(tmp_path / 'pets')}", "format=webdataset", "formats.webdataset.pictures=2")
    assert len(list(out.glob("train-*.tar"))) == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["format=webdatset"], "format='webdatset': this is a labelled data set. Give coco, croissant"),
        (["format=single_file"], "format='single_file': this is a labelled data set. Give coco"),
        (["format=coco", "out=SET"], "other files lie there"),
        (["format=imagefolder", "out=SET/.."], "other files lie there"),
        (["format=webdataset", "out=SET/README.md"], "other files lie there"),
        (["format=croissant", "out=SET/x.json"], "it describes the folder that it lies in"),
        (["format=webdataset", "formats.webdataset.pictures=0"], "formats.webdataset.pictures=0"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_lost(tmp_path: Path, given: list[str], said: str) -> None:
    folder = two_subjects(tmp_path / "pets")
    (folder / "README.md").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError) as caught:
        written(f"run={folder}", *(one.replace("SET", str(folder)) for one in given))
    assert said in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before


def test_what_is_neither_a_run_nor_a_data_set_is_told_as_before(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no run here"):
        written(f"run={tmp_path}")
    with pytest.raises(UserError, match="no folders with pictures"):
        written(f"run={tmp_path}", "format=coco")
    with pytest.raises(UserError, match="no such folder"):
        written(f"run={tmp_path / 'nowhere'}", "format=coco")


def test_a_folder_of_classes_is_no_croissant_yet(tmp_path: Path) -> None:
    folder = two_subjects(tmp_path / "pets")
    for name in ("train/metadata.jsonl", "test/metadata.jsonl", "synthesis.json", ".rejected/metadata.jsonl"):
        (folder / name).unlink()
    with pytest.raises(UserError, match="format=imagefolder makes one"):
        written(f"run={folder}", "format=croissant")
    assert (written(f"run={folder}", "format=imagefolder") / "croissant.json").is_file()
