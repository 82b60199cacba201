"""What is assumed of W&B. One offline run serves all tests."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import wandb
from PIL import Image

from imprint.libraries.wandb import (
    CACHE_FOLDER,
    DATA_FOLDER,
    QUIET,
    data_in,
    forget_failed_start,
    private_settings,
    summary_of,
    wait_for_own_folder,
)


class Stay(NamedTuple):
    folder: Path
    data: Path
    summary: dict[str, Any]
    connection: Any


@pytest.fixture(scope="module")
def stay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stay]:
    folder = tmp_path_factory.mktemp("stay")
    data = folder / "data"
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(DATA_FOLDER, raising=False)
        with data_in(data):
            wandb.setup(wandb.Settings(**QUIET))
            run = wandb.init(
                project="of-a-test",
                dir=str(folder),
                mode="offline",
                settings=private_settings(start_timeout=30, finish_timeout=30),
            )
            picture = wandb.Image(Image.new("RGB", (4, 4)))
            run.log({"loss": 0.5, "pictures": wandb.Table(columns=["picture"], data=[[picture]])})
            run.summary.update({"nested": {"inner": 1}})
            summary = summary_of(run)
            connection = wandb.setup()._connection
            run.finish()
        yield Stay(folder, data, summary, connection)
    forget_failed_start()


def test_the_summary_is_plain_and_ours_alone(stay: Stay) -> None:
    assert stay.summary["loss"] == 0.5
    assert stay.summary["nested"] == {"inner": 1}
    assert not [name for name in stay.summary if name.startswith("_")]
    assert json.loads(json.dumps(stay.summary)) == stay.summary


def test_a_stays_folder_is_named_by_the_second(stay: Stay) -> None:
    [folder] = stay.folder.glob("wandb/offline-run-*")
    assert re.fullmatch(r"offline-run-\d{8}_\d{6}-\w+", folder.name), "wait_for_own_folder waits for another name"


def test_nothing_of_the_machine_is_told(stay: Stay) -> None:
    names = {file.name for file in stay.folder.rglob("*") if file.is_file()}
    assert not names & {"wandb-metadata.json", "requirements.txt", "conda-environment.yaml", "diff.patch"}


def test_what_waits_for_its_upload_lies_in_the_folder(stay: Stay) -> None:
    assert stay.data.is_dir(), "W&B does not read WANDB_DATA_DIR when a run needs it"


def test_a_second_that_is_taken_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(["20300101_000000", "20300101_000000", "20300101_000001"])
    monkeypatch.setattr("imprint.libraries.wandb.time.strftime", lambda _: next(seconds))
    (tmp_path / "wandb" / "offline-run-20300101_000000-abc").mkdir(parents=True)
    wait_for_own_folder(tmp_path)
    assert list(seconds) == []


@pytest.mark.parametrize(("home", "own_log"), [("", True), ("/home/me", False)])
def test_without_a_home_its_log_has_a_place(
    home: str, own_log: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_CACHE_HOME", DATA_FOLDER, CACHE_FOLDER):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", home)
    with data_in(tmp_path):
        assert (CACHE_FOLDER in os.environ) == own_log
    assert not {DATA_FOLDER, CACHE_FOLDER} & os.environ.keys()


def test_what_wandb_does_at_the_end_can_be_taken_back(stay: Stay) -> None:
    assert callable(stay.connection._cleanup), "do_not_wait_at_exit calls it"
