"""imprint study, as it is typed."""

from pathlib import Path

import pytest
from command import typed_with
from study_world import write_world

THIN = [
    "encoders=mini",
    "accelerator=cpu",
    "seeds=[0]",
    "shots=[2]",
    "arms=[classical,synthetic,truth]",
    "learners.probe.positions=8",
    "learners.resnet.widths=[8,16]",
    "learners.resnet.size=16",
    "learners.resnet.updates=4",
    "learners.resnet.batch=12",
]


def test_a_study_is_planned_carried_out_and_not_carried_out_twice(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    typed = typed_with(capfd)
    world = write_world(tmp_path / "world")
    command = [str(world / "photos"), str(world / "data"), f"test={world / 'test'}", f"out={tmp_path / 'study'}"]
    command += [f"pictures={{truth:{world / 'truth'}}}", *THIN]
    planned = typed("study", *command, "dry_run=true")
    assert planned.code == 0, planned.text
    assert "6 cells" in planned.text
    assert not (tmp_path / "study").exists()
    done = typed("study", *command)
    assert done.code == 0, done.text
    assert "less classical" in done.text
    assert "6 of 6" in done.text
    again = typed("study", *command)
    assert again.code == 0
    assert "of 6:" not in again.text
    assert "6 are there" in typed("study", *command, "dry_run=true").text


def test_mistakes_are_told_together(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said = typed_with(capfd)("study", str(tmp_path / "none"), f"test={tmp_path / 'nothing'}", *THIN)
    assert said.code == 1
    assert "data=" in said.text
    assert "test=" in said.text
    assert "Traceback" not in said.text
