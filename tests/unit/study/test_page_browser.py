"""A study's page in a real browser: it fits, and nothing goes wrong."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, WITHOUT, Browser, browser
from unit.study.told import ARMS, learn_nothing, places, write_hostile

from imprint.study.study import Study
from imprint.study.writing import PAGE

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=WITHOUT)]

Made = Callable[..., Study]
PHONE, DESKTOP = 390, 1400
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
THUMBNAILS = "[...document.querySelectorAll('.shown img')].map(one => one.getBoundingClientRect())"


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


def test_it_fits_any_screen_and_pictures_can_be_enlarged(
    made: Made, world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: Browser
) -> None:
    learn_nothing(monkeypatch)
    study = made(ARMS, **places(write_hostile(world, tmp_path / "hostile")))
    study.carry_out()
    for width in (DESKTOP, PHONE):
        seen.show(study.folder / PAGE, width=width, height=900)
        seen.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        assert seen.evaluate(OVERFLOW) == 0
        assert seen.evaluate(f"{THUMBNAILS}.every(one => one.width > 40 && one.width < 80)")
        apart = "one.right <= all[at + 1].left || one.top >= all[at + 1].bottom || one.bottom <= all[at + 1].top"
        assert seen.evaluate(f"{THUMBNAILS}.slice(0, -1).every((one, at, all) => at + 1 == all.length || {apart})")
        seen.click(".shown button.picture")
        assert seen.evaluate("document.querySelector('dialog').open")
    assert seen.problems == []
