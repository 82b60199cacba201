"""What is said of points that have ended, where they are some of a search."""

import logging
from types import SimpleNamespace
from typing import cast

import pytest

from imprint.launching.plan import PlannedPoint
from imprint.launching.progress import LogLines, Share
from imprint.launching.status import Status


def test_trials_are_counted_among_all_of_the_search(caplog: pytest.LogCaptureFixture) -> None:
    parts = SimpleNamespace(sweep=SimpleNamespace(objectives=[]))
    told = SimpleNamespace(name="a", label="method.lr=0.0001252", plan=SimpleNamespace(parts=parts))
    point = cast(PlannedPoint, told)
    lines = LogLines([point], Share(before=2, total=30))
    with caplog.at_level(logging.INFO):
        lines.update({"a": Status("done", 1.0, {"dino": 0.5}, 3.0)}, [point])
    assert caplog.messages == ["[3/30] method.lr=0.0001252: done in 3 s. dino 0.500", "27 left."]
