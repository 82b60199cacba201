"""Processes of one machine do not crowd on its first GPU."""

import os
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from imprint.launchers import processes
from imprint.launchers.processes import share, take_devices, visible_devices

FOUR = ["0", "1", "2", "3"]


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_held", [])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)


def chosen() -> str | None:
    return os.environ.get("CUDA_VISIBLE_DEVICES")


def test_every_place_has_its_own_as_long_as_there_are_enough() -> None:
    assert [share(FOUR, place, 1) for place in range(4)] == [["0"], ["1"], ["2"], ["3"]]
    assert [share(FOUR, place, 2) for place in range(2)] == [["0", "1"], ["2", "3"]]


def test_more_places_than_devices_share_them_evenly() -> None:
    assert [share(["0", "1"], place, 1) for place in range(4)] == [["0"], ["1"], ["0"], ["1"]]
    assert share(["0", "1", "2"], 1, 2) == ["0", "1"]


def test_what_the_environment_hides_stays_hidden() -> None:
    assert visible_devices("3, 5", 2) == ["3", "5"]
    assert visible_devices(None, 2) == ["0", "1"]
    assert visible_devices("", 0) == []


def test_a_place_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    with FileLock(tmp_path / "0.lock"):  # another process
        take_devices(tmp_path, places=2, each=1)
    assert chosen() == "1"
    take_devices(tmp_path, places=2, each=1)  # its next point
    assert chosen() == "1"


def test_where_all_places_are_held_nothing_is_hidden(tmp_path: Path) -> None:
    with FileLock(tmp_path / "0.lock"):
        take_devices(tmp_path, places=1, each=1)
    assert chosen() is None


def test_without_a_gpu_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    take_devices(tmp_path, places=2, each=1)
    assert chosen() is None
