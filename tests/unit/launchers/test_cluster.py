"""What a cluster's jobs are given is the user's own."""

import stat
from pathlib import Path

import pytest

pytest.importorskip("submitit")

from imprint.launchers.cluster import _executor


def test_what_jobs_are_given_can_be_read_by_their_owner_alone(tmp_path: Path) -> None:
    _executor("local", {"submitit_folder": str(tmp_path / "a" / "launcher"), "timeout_min": 1})
    assert stat.S_IMODE((tmp_path / "a" / "launcher").stat().st_mode) == stat.S_IRWXU
