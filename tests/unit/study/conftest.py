"""Studies in small."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from composed import compose
from study_world import SHOTS, write_world

from imprint.study.study import Study
from imprint.verbs.study import study_of

# Few updates of a narrow network, and few positions: nothing here depends on how well it is learned.
THIN = [
    "encoders=mini",
    "accelerator=cpu",
    "seeds=[0]",
    f"shots=[1,{SHOTS}]",
    "learners.probe.positions=8",
    "learners.probe.decays=[1e-2,1e-4]",
    "learners.resnet.widths=[8,16]",
    "learners.resnet.size=16",
    "learners.resnet.updates=4",
    "learners.resnet.batch=12",
]

Made = Callable[..., Study]


def thin(settings: Sequence[str]) -> list[str]:
    """Without settings of learners that are not asked for."""
    asked = next((each for each in settings if each.startswith("learners=[")), "learners=[probe,resnet]")
    names = asked.removeprefix("learners=[").removesuffix("]").split(",")
    return [each for each in THIN if not each.startswith("learners.") or each.split(".")[1] in names]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def made(world: Path, tmp_path: Path) -> Made:
    """`made("arms=[real,synthetic]")`: the study, checked."""

    def make(*settings: str, **places: Any) -> Study:
        given = {"data": f"[{world / 'photos'},{world / 'data'}]", "test": world / "test", "out": tmp_path / "study"}
        located = [f"{key}={value}" for key, value in (given | places).items()]
        return study_of(compose("study", [*located, *thin(settings), *settings]))

    return make
