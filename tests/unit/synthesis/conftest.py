"""Subjects of runs that are planned, and never trained: what is asked of them needs no weights."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from small_runs import configure, draw_masks, draw_pictures

from imprint.planning.prepare import prepare
from imprint.synthesis.taught import Taught, to_be_taught

Named = Callable[..., list[Taught]]


@pytest.fixture(scope="session")
def named(tiny_sd: Path, tmp_path_factory: pytest.TempPathFactory) -> Named:
    """`named("rex", "tom")`: subjects with three photos each, and masks. Read only."""
    folder = tmp_path_factory.mktemp("named")

    @cache
    def one(name: str, photos: int, masks: bool) -> Taught:
        place = draw_pictures(folder / f"{name}-{photos}-{masks}", photos)
        if masks:
            draw_masks(place)
        plan = prepare(configure(tiny_sd, place, folder / "runs", f"dataset.subject={name}", "dataset.kind=live"))
        [taught] = to_be_taught([plan], size=None)
        return taught

    def several(*names: str, photos: int = 3, masks: bool = True) -> list[Taught]:
        return [one(name, photos, masks) for name in names]

    return several
