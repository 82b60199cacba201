"""Studies in small."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from composed import compose
from study_world import SHOTS, write_world

from imprint.study.study import Study
from imprint.verbs.study import study_of

THIN = ["encoders=mini", "accelerator=cpu", "seeds=[0]", f"shots=[1,{SHOTS}]"]
# Few updates of a narrow network, and few positions: nothing here depends on how well it is learned.
THIN_LEARNERS = {
    "patches": ["positions=4", "size=64"],
    "probe": ["positions=8", "decays=[1e-2,1e-4]"],
    "resnet": ["widths=[8,16]", "size=16", "updates=4", "batch=12"],
    "tuned": ["rank=2", "updates=2", "batch=4"],
    "vit": ["patch=8", "width=16", "depth=1", "heads=2", "size=16", "updates=4", "warmup=2", "batch=12"],
}
USUAL = ("probe", "resnet")

Made = Callable[..., Study]


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def made(world: Path, tmp_path: Path) -> Made:
    """`made("arms=[real,synthetic]")`: the study, checked."""

    def make(*settings: str, learners: Sequence[str] = USUAL, **places: Any) -> Study:
        given = {"data": f"[{world / 'photos'},{world / 'data'}]", "test": world / "test", "out": tmp_path / "study"}
        located = [f"{key}={value}" for key, value in (given | places).items()]
        named = next((each for each in settings if each.startswith("learners=[")), None)
        names = named.removeprefix("learners=[").removesuffix("]").split(",") if named else learners
        thin = [f"learners.{name}.{setting}" for name in names for setting in THIN_LEARNERS[name]]
        chosen = [] if named else [f"learners=[{','.join(names)}]"]
        return study_of(compose("study", [*located, *THIN, *chosen, *thin, *settings]))

    return make
