"""Takes the pictures of pages that the documentation shows: python docs/screenshots.py [WORK]

Everything in them is real: the demo is trained in WORK, where it is not there yet, in some minutes, and then one run
more while it is looked at. Needs Chromium.
"""

import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
OUT = ROOT / "docs" / "screenshots"
IMPRINT = [sys.executable, "-m", "imprint"]
sys.path.insert(0, str(ROOT / "tests"))

from browser import Browser, browser  # noqa: E402

from imprint.pictures.store import read_index  # noqa: E402

COLOURS = 256  # of a picture: as many as one byte tells apart
SUBJECT = "rex"  # the photos that are previewed: a folder in WORK
LIVE = ["dataset=mini/dog6", "method=lora", "hparams.steps=2000", "samples.every=50", "evaluation=none"]
LONGEST = 900  # seconds that anything is waited for


def main(work: Path) -> None:
    OUT.mkdir(exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    os.chdir(work)
    os.environ |= {"PYTHONPATH": str(ROOT / "src"), "WANDB_MODE": "disabled"}
    with tempfile.TemporaryDirectory() as profile, browser(Path(profile)) as seen:
        _report(seen)
        _preview(seen)
        _serve(seen)


def _report(seen: Browser) -> None:
    """The first screen, and two pictures in one place."""
    _run("train", "-m", "experiment=demo")
    seen.show(Path("outputs/demo/sweeps/demo/report.html").resolve(), width=1280, height=860)
    _take(seen, "report")
    seen.evaluate("document.querySelectorAll('details.gallery').forEach(fold => fold.open = true)")
    seen.click("details.gallery tbody tr:nth-child(2) td:nth-of-type(1) button.picture")
    seen.click("[data-mode=slider]")
    _choose(seen, "dialog select", "textual inversion")
    _take(seen, "compare", of="dialog")


def _preview(seen: Browser) -> None:
    """Photos that are no squares, with masks, one of them twice."""
    photos = Path(SUBJECT)
    if not photos.is_dir():
        _python("-m", "imprint.miniature", "export", "world", "dog6", "--size", "128", "--masks", "--format", "png")
        photos.mkdir()
        for file in sorted(Path("world/dataset/dog6").glob("*.png")):
            with Image.open(file) as picture:
                picture.crop((0, 16, 128, 112)).save(photos / file.name)
        for kind in ("", ".mask"):
            (photos / f"04{kind}.png").write_bytes((photos / f"02{kind}.png").read_bytes())
    _run("preview", "dataset=folder", f"dataset.path={SUBJECT}", "dataset.class_noun=dog", "dataset.crop=random")
    seen.show(next(Path("outputs/preview").glob(f"{SUBJECT}-*.html")).resolve(), width=1280, height=800)
    _take(seen, "preview")


def _serve(seen: Browser) -> None:
    """A run while it is trained, from its first step."""
    for before in Path("outputs").glob("dog6-lora-*"):
        shutil.rmtree(before)
    with _process(*IMPRINT, "train", *LIVE), _served() as address:
        seen.allowed.append(address)
        _until(lambda: any(_samples(index) >= 150 for index in Path("outputs").glob("dog6-*/samples/samples.json")))
        run = next(Path("outputs").glob("dog6-lora-*")).name
        seen.show(f"{address}run?key={run}", width=1280, height=800)
        state = "document.querySelector('.state').textContent"
        seen.until(lambda: str(seen.evaluate(state)).startswith("running"), seconds=LONGEST)
        shown = "[...document.querySelectorAll('.samples img:not([hidden])')].every(picture => picture.naturalWidth)"
        seen.until(lambda: bool(seen.evaluate(shown)))
        _take(seen, "serve")


def _samples(index: Path) -> int:
    """After which step the last ones were drawn."""
    _, pictures = read_index(index)
    return max((int(each["step"]) for each in pictures), default=0)


def _take(seen: Browser, name: str, *, of: str = "body") -> None:
    """What the screen shows of an element."""
    seen.listen(1)
    with Image.open(io.BytesIO(seen.screen())) as screen:
        corners = "(box => [box.left, box.top, box.right, box.bottom])"
        box = seen.evaluate(f"{corners}(document.querySelector('{of}').getBoundingClientRect())")
        left, top, right, bottom = (max(0, round(side)) for side in box)
        part = screen.convert("RGB").crop((left, top, min(right, screen.width), min(bottom, screen.height)))
    few = part.quantize(COLOURS, kmeans=3, dither=Image.Dither.NONE)
    few.save(OUT / f"{name}.png", optimize=True)
    print(f"{name}.png: {(OUT / f'{name}.png').stat().st_size / 1000:.0f} kB", flush=True)


def _choose(seen: Browser, box: str, text: str) -> None:
    seen.evaluate(
        f"(box => {{ box.selectedIndex = [...box.options].findIndex(each => each.text.includes('{text}'));"
        f" box.dispatchEvent(new Event('change')); }})(document.querySelector('{box}'))"
    )


def _run(*arguments: str) -> None:
    _python("-m", "imprint", *arguments)


def _python(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True)


@contextmanager
def _process(*command: str, stderr: int | None = None) -> Iterator["subprocess.Popen[str]"]:
    with subprocess.Popen(command, stderr=stderr, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@contextmanager
def _served() -> Iterator[str]:
    """Its address."""
    with _process(*IMPRINT, "serve", "outputs", "port=0", "open=false", stderr=subprocess.PIPE) as server:
        assert server.stderr is not None
        yield next(line.split()[0] for line in server.stderr if line.startswith("http"))


def _until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + LONGEST
    while not condition():
        assert time.monotonic() < end, "this did not come true"
        time.sleep(1)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/screenshots").resolve())
