"""The documentation: what `make docs` builds has a page for all there is, and needs no network to be read."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from imprint.command_line import VERBS
from imprint.config import conf_folder

pytest.importorskip("sphinx", reason="the extra docs is not installed")

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    source, built = str(folder / "source"), folder / "built"
    _python("docs/generate.py", source)
    _python("-m", "sphinx", "--fail-on-warning", "-q", "-c", "docs", source, str(built))
    return built


def test_everything_that_can_be_chosen_has_a_page(site: Path) -> None:
    expected = [f"reference/verbs/{verb}" for verb in VERBS]
    for group in ("method", "model", "metric"):
        files = (conf_folder() / group).glob("*.yaml")
        named = [file for file in files if group == "model" or "\n_target_:" in file.read_text(encoding="utf-8")]
        expected += [f"reference/{group}/{file.stem}" for file in named]
    assert "reference/method/lora" in expected
    assert not [page for page in [*expected, "index", "reference/api"] if not (site / f"{page}.html").is_file()]


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert pages
    fetched = {source for page in pages for source in _fetched(page)}
    fetched |= {
        source
        for style in site.rglob("*.css")
        for source in re.findall(r"(?:url\(|@import\s)[\"']?([^\"')\s]+)", style.read_text(encoding="utf-8"))
    }
    assert "../../_static/imprint.css" in {source.partition("?")[0] for source in fetched}
    assert not [source for source in fetched if "//" in source and not source.startswith("data:")]


def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path) -> None:
    text = "[a](report.md#top) [b](../README.md) [c](../experiments) [d](../Makefile) [e](nowhere.md)"
    program = f"""
import sys
from pathlib import Path
sys.path.insert(0, "docs")
from generate import linked
broken = []
pages = set(map(Path, ["docs/report.md", "README.md", "experiments/README.md"]))
print(linked(Path("docs/grids.md"), {text!r}, pages, broken), broken)
"""
    assert _python("-c", program, str(tmp_path)).strip() == (
        "[a](../docs/report.md#top) [b](../index.md) [c](../experiments/README.md) d e ['docs/grids.md: nowhere.md']"
    )


class _Sources(HTMLParser):
    """Of what a browser fetches by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        key = {"script": "src", "img": "src", "iframe": "src", "link": "href"}.get(tag)
        self.found += [value for name, value in attrs if name == key and value]


def _fetched(page: Path) -> Iterator[str]:
    parser = _Sources()
    parser.feed(page.read_text(encoding="utf-8"))
    yield from parser.found


def _python(*arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
