"""The try-out draws what `imprint generate` draws."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from composed import compose
from PIL import Image

from imprint.results.picture_request import read_picture_request
from imprint.runs import Run
from imprint.serving import drawing
from imprint.serving.drawing import LOADED, Asked, Busy, Drawn, Side, TryOut
from imprint.serving.folder import GENERATED, ServedFolder
from imprint.verbs.generate import Request as Generating
from imprint.verbs.generate import generate

PROMPT = "a {identifier} {noun}"
LONG = 120  # seconds that a picture of a tiny model does not take


@pytest.fixture
def run(finished: Callable[..., Run], tmp_path: Path) -> Run:
    """A copy, into which pictures may be drawn."""
    original = finished("method=lora").folder
    return Run(Path(shutil.copytree(original, tmp_path / "outputs" / original.name)))


@pytest.fixture
def tryout(run: Run) -> TryOut:
    cfg = compose("serve", ["drawing.accelerator=cpu", "drawing.steps=2"])
    return TryOut(ServedFolder(run.folder.parent, trust=[]), read_picture_request(Generating, cfg.drawing))


def drawn(tryout: TryOut, run: Run, *sides: tuple[str, float], seed: int = 3) -> tuple[Drawn, ...]:
    asked = [Side(run=run.folder.name, prompt=prompt, strength=strength) for prompt, strength in sides]
    tryout.begin(Asked(sides=asked, seed=seed))
    tryout.wait(LONG)
    assert not tryout.state.is_busy
    return tryout.state.sides


def test_the_pictures_are_those_of_the_command_and_lie_where_it_puts_them(
    tryout: TryOut, run: Run, tmp_path: Path
) -> None:
    a, b = drawn(tryout, run, (PROMPT, 1.0), (PROMPT, 0.0))
    assert (a.error, b.error) == ("", "")
    assert a.prompt == b.prompt == "a sks dog"
    for side, strength in ((a, 1.0), (b, 0.0)):
        settings = [f"scale.denoiser={strength}", "seeds=[3]", "steps=2", "accelerator=cpu"]
        folder = tmp_path / f"strength-{strength}"
        generate(compose("generate", [f"run={run.folder}", f"prompt='{PROMPT}'", f"outputs={folder}", *settings]))
        [file] = folder.glob("*.png")
        assert file.name == side.file
        assert Image.open(file).tobytes() == Image.open(run.folder / GENERATED / side.file).tobytes()
    first, second = (Image.open(run.folder / GENERATED / side.file).tobytes() for side in (a, b))
    assert first != second


def test_what_is_there_is_not_drawn_again(tryout: TryOut, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    [first] = drawn(tryout, run, (PROMPT, 1.0))
    file = run.folder / GENERATED / first.file
    written = file.stat().st_mtime_ns
    monkeypatch.setattr(tryout, "_loaded", lambda *_: pytest.fail("it is there"))
    assert drawn(tryout, run, (PROMPT, 1.0)) == (first,)
    assert file.stat().st_mtime_ns == written


def test_two_models_stay_in_memory(tryout: TryOut, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[float] = []

    def counted(runs: object, *, scale: dict[str, float], **more: object) -> object:
        loaded.append(scale["denoiser"])
        return combined(runs, scale=scale, **more)

    combined = drawing.combined_model
    monkeypatch.setattr(drawing, "combined_model", counted)
    drawn(tryout, run, (PROMPT, 1.0), (PROMPT, 0.5), seed=0)
    drawn(tryout, run, (PROMPT, 1.0), (PROMPT, 0.5), seed=1)
    assert loaded == [1.0, 0.5]
    drawn(tryout, run, (PROMPT, 0.25), (PROMPT, 0.5), seed=2)
    drawn(tryout, run, (PROMPT, 1.0), seed=3)
    assert loaded == [1.0, 0.5, 0.25, 1.0]
    assert len(tryout._models) == LOADED


def test_a_text_is_a_text(tryout: TryOut, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in it is looked up, and no file is read for it."""
    monkeypatch.setenv("A_SECRET", "told")
    texts = ["${oc.env:A_SECRET}", "[a,b]", "prompts.txt", "../../x"]
    for text in texts:
        drawn(tryout, run, (text, 1.0))
    index = json.loads((run.folder / GENERATED / "pictures.json").read_text(encoding="utf-8"))
    assert {entry["prompt"] for entry in index["pictures"]} | {""} >= {"[a,b]", "prompts.txt", "../../x"}
    assert "told" not in json.dumps(index)
    assert all((run.folder / GENERATED / entry["file"]).is_file() for entry in index["pictures"])


def test_what_is_wrong_is_told_beside_what_is_drawn(tryout: TryOut, run: Run) -> None:
    wrong, right = drawn(tryout, run, ("a {nobody}", 1.0), (PROMPT, 1.0))
    assert "nobody" in wrong.error
    assert wrong.file == ""
    assert right.file


def test_a_run_that_is_not_finished_is_told(tryout: TryOut, run: Run) -> None:
    run.note({"status": "running"})
    [side] = drawn(tryout, run, (PROMPT, 1.0))
    assert "this run is running" in side.error


def test_a_failure_of_a_library_is_told_and_the_next_picture_is_drawn(
    tryout: TryOut, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:

        def full(*_: object, **__: object) -> None:
            raise RuntimeError("out of memory")

        patch.setattr(drawing, "combined_model", full)
        [side] = drawn(tryout, run, (PROMPT, 1.0))
        assert "RuntimeError: out of memory" in side.error
    [side] = drawn(tryout, run, (PROMPT, 1.0))
    assert side.file


def test_one_request_at_a_time_and_it_can_be_cancelled(tryout: TryOut, run: Run) -> None:
    sides = [Side(run=run.folder.name, prompt=PROMPT, strength=1.0)] * 2
    tryout.begin(Asked(sides=sides, seed=0, steps=500))
    with pytest.raises(Busy):
        tryout.begin(Asked(sides=sides, seed=0))
    end = time.monotonic() + LONG
    while "step" not in tryout.state.doing and time.monotonic() < end:
        time.sleep(0.01)
    tryout.cancel()
    tryout.wait(LONG)
    assert not tryout.state.is_busy
    assert [side.file for side in tryout.state.sides] == ["", ""]
    assert tryout.state.sides[0].error == "Cancelled."
    assert not list((run.folder / GENERATED).glob("*.png"))
    [side] = drawn(tryout, run, (PROMPT, 1.0))
    assert side.file
