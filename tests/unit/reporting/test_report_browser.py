"""The page as a browser sees it: a script after its own ones uses it and writes down what happened."""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path

import pytest
from unit.reporting.scoreboard.sheets import sheet
from unit.reporting.test_report_scores import scored_run

from imprint.report import write_report

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
USED = """
<script>
const runs = () => [...document.querySelectorAll(".runs tbody tr")].filter(row => !row.hidden);
const told = {};
const column = text => [...document.querySelectorAll(".runs th")].find(heading => heading.textContent.startsWith(text));
const numbers = at => runs().map(row => Number(row.cells[at].dataset.value));
const dino = column("DINO"), loss = column("loss");
dino.querySelector("button").click();
told.best = numbers(dino.cellIndex);
dino.querySelector("button").click();
told.worst = numbers(dino.cellIndex);
told.said = dino.ariaSort;
loss.querySelector("button").click();
told.loss = numbers(loss.cellIndex);
told.unsorted = dino.ariaSort;
const search = document.querySelector("input[type=search]");
search.value = "LORA cat";
search.dispatchEvent(new Event("input"));
told.found = runs().map(row => row.cells[0].textContent);
told.count = document.querySelector(".runs output").textContent;
told.width = innerWidth;
told.needed = document.documentElement.scrollWidth;
const note = document.createElement("pre");
note.id = "told";
note.textContent = JSON.stringify(told);
parent.document.body.append(note);
</script>
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed"),
]


def opened(page: Path, folder: Path, width: int) -> tuple[str, list[str]]:
    """The document around the page after the scripts have run, and what they wrote on the console. The page stands in
    a frame, since no window is as narrow as a phone."""
    around = folder / "around.html"
    around.write_text(f'<!doctype html><body><iframe src="{page.name}" width="{width}" height="900" frameborder="0">')
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'profile'}"]
    frames = ["--allow-file-access-from-files", "--window-size=1400,1000"]  # the page's script writes into `around`
    logged = ["--enable-logging=stderr", "--v=0", "--dump-dom", around.as_uri()]
    done = subprocess.run([*command, *frames, *logged], capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    outputs = tmp_path_factory.mktemp("runs")
    for subject in ("dog", "cat", "can"):
        for method, better in (("lora", 0.0), ("dreambooth", 0.1)):
            scored_run(outputs, sheet(subject, method, better_by=better))
    return write_report([outputs], outputs / "report.html")


@pytest.mark.parametrize("width", [1300, 390])
def test_it_sorts_filters_and_fits(page: Path, tmp_path: Path, width: int) -> None:
    used = tmp_path / "used.html"
    used.write_text(page.read_text().replace("</body>", f"{USED}</body>"))
    document, console = opened(used, tmp_path, width)
    assert console == []
    (note,) = re.findall(r'<pre id="told">(.*?)</pre>', document)
    told = json.loads(unescape(note))
    assert len(told["best"]) == 6
    assert told["best"] == sorted(told["best"], reverse=True), "the first click shows the best first"
    assert told["worst"] == sorted(told["best"])
    assert (told["said"], told["unsorted"]) == ("ascending", "none")
    assert told["loss"] == sorted(told["loss"])
    (found,) = told["found"]
    assert "cat-lora" in found
    assert told["count"] == "1 of 6"
    assert told["width"] == width
    assert told["needed"] <= width


def test_an_error_of_a_script_would_be_seen(page: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text(page.read_text().replace("</body>", "<script>undefined.something</script></body>"))
    _, console = opened(broken, tmp_path, 1300)
    assert len(console) == 1
