"""imprint serve as people use it: the program, and a real browser."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import CHROMIUM, WITHOUT, Browser, browser
from unit.reporting.runs_on_disk import being_trained, make_run

from imprint.runs import Run
from imprint.serving.folder import GENERATED

pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=WITHOUT)]

TRAINING = "dog-training-0000000001"
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+/")


@pytest.fixture(scope="module")
def outputs(finished: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished runs, and one that is being trained."""
    folder = tmp_path_factory.mktemp("serve") / "outputs"
    for method in ("lora", "dreambooth"):
        original = finished(f"method={method}").folder
        shutil.copytree(original, folder / original.name)
    settings = {"method": {"_target_": "imprint.methods.lora.LoRA"}, "hparams": {"steps": 100}}
    make_run(folder / TRAINING, settings=settings, status="running", steps=10, drawn_at=(0, 10))
    return folder


@pytest.fixture(scope="module")
def program(outputs: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "imprint", "serve", str(outputs), "port=0", "open=false"]
    drawing = ["drawing.accelerator=cpu", "drawing.steps=2"]
    with subprocess.Popen([*command, *drawing], stderr=subprocess.PIPE, text=True, env={**os.environ}) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def address(program: subprocess.Popen[str]) -> str:
    assert program.stderr is not None
    for line in program.stderr:
        if found := ADDRESS.search(line):
            return found[0]
    raise AssertionError("it has not said where it is")


@pytest.fixture(scope="module")
def seen(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        found.allowed.append(address)
        yield found


def text(seen: Browser, selector: str) -> str:
    found: str = seen.evaluate(f"document.querySelector('{selector}').textContent")
    return found


def test_from_the_list_to_two_pictures(
    seen: Browser, address: str, outputs: Path, program: subprocess.Popen[str]
) -> None:
    # The list: what is ticked stays so when the list is written anew.
    seen.show(address)
    assert seen.evaluate("document.querySelectorAll('tbody tr').length") == 3
    finished = [folder.name for folder in sorted(outputs.iterdir()) if folder.name != TRAINING]
    for name in finished:
        seen.click(f"input[value='{name}']")
    with (outputs / TRAINING / "metrics.csv").open("a") as metrics:
        metrics.write("11,0.5,1e-06\n")
    seen.until(lambda: "11 of 100" in text(seen, "tbody"))
    assert seen.evaluate("document.querySelectorAll('input:checked').length") == 2

    # Compared: the report of these two, with a way back.
    seen.click("#compare")
    seen.until(lambda: text(seen, "h1") == "2 runs")
    for name in finished:
        assert name.rpartition("-")[2] in seen.evaluate("document.body.innerHTML")
    seen.click("a[href='/']")
    seen.until(lambda: text(seen, "h1") == "outputs")

    # A run that is being trained: its curve and samples come by themselves, and the chosen step stays. One that was
    # killed is said to be.
    assert "stopped" in text(seen, ".lead")
    with being_trained(outputs / TRAINING):
        seen.until(lambda: "1 running" in text(seen, ".lead"))
    seen.click(f"a[href*='{TRAINING}']")
    seen.until(lambda: "step 11 of 100" in text(seen, ".state"))
    seen.evaluate("(slider => { slider.value = 0; slider.dispatchEvent(new Event('input', {bubbles: true})); })(step)")
    shown = "[...document.querySelectorAll('.samples img')].find(picture => !picture.hidden).dataset.step"
    assert seen.evaluate(shown) == "0"
    curve = seen.evaluate("document.querySelector('.figures svg').outerHTML")
    with (outputs / TRAINING / "metrics.csv").open("a") as metrics:
        metrics.write("12,0.9,1e-06\n")
    seen.until(lambda: "step 12 of 100" in text(seen, ".state"))
    assert seen.evaluate("document.querySelector('.figures svg').outerHTML") != curve
    assert seen.evaluate(shown) == "0"
    with being_trained(outputs / TRAINING):
        seen.until(lambda: text(seen, ".state").startswith("running"))
    seen.until(lambda: text(seen, ".state").startswith("stopped"))

    # The try-out: two pictures from the same noise, in the folders of their runs.
    seen.click("a[href='/try']")
    seen.until(lambda: text(seen, "h1") == "Try out")
    assert seen.evaluate("document.querySelector('[name=run]').options.length") == 2
    seen.click("#draw")
    pictures = "[...document.querySelectorAll('#drawn img')].filter(picture => picture.naturalWidth).length"
    seen.until(lambda: seen.evaluate(pictures) == 2, seconds=120)
    assert sorted(file.parent.parent.name for file in outputs.glob(f"*/{GENERATED}/*.png")) == finished
    assert seen.problems == []

    # On a phone all of it fits.
    for path in ("", f"run?key={TRAINING}", "try"):
        seen.show(address + path, width=390, height=844)
        assert seen.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert seen.problems == []

    # Ctrl-C ends it, without a word too many.
    program.send_signal(signal.SIGINT)
    assert program.wait(timeout=60) == 0
    assert program.stderr is not None
    assert program.stderr.read() == "It has ended.\n"
    seen.until(lambda: seen.evaluate("!document.querySelector('.ended').hidden"))
