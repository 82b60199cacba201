"""Pictures that leave the program say what made them, and nothing else changes by it."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from authority import Issued, issue
from composed import compose
from PIL import Image
from small_runs import configure, only_run

from imprint.errors import ConfigError
from imprint.planning.prepare import prepare
from imprint.provenance import credentials
from imprint.provenance.base import result_hash
from imprint.provenance.marks import Marks, read_marks
from imprint.runs import Run
from imprint.verbs.generate import generate
from imprint.verbs.grid import grid
from imprint.verbs.train import train

DRAWING = ["steps=2", "guidance=1", "accelerator=cpu", "seeds=[0]", "prompt='a {identifier} {noun}'"]
SAMPLES = ["samples=default", "samples.prompts=['a {identifier} {noun}']", "samples.seeds=[0]"]


@pytest.fixture(scope="module")
def run(finished: Callable[..., Run]) -> Run:
    return finished("method=lora", *SAMPLES)


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Issued:
    pytest.importorskip("c2pa", reason="the extra credentials is not installed")
    return issue(tmp_path_factory.mktemp("authority"))


def generated(run: Run, folder: Path, *settings: str) -> Path:
    generate(compose("generate", [f"run={run.folder}", f"outputs={folder}", *DRAWING, *settings]))
    [file] = folder.glob("*.png")
    return file


def marks_of(file: Path) -> Marks:
    return read_marks(file.read_bytes())


def test_generated_pictures_are_marked_with_the_runs_own_hashes(run: Run, tmp_path: Path) -> None:
    marked, plain = generated(run, tmp_path / "a"), generated(run, tmp_path / "b", "provenance=none")
    marks = marks_of(marked)
    assert marks.synthetic == ["trainedAlgorithmicMedia"]
    assert marks.bases == (run.read().content.model,)
    assert marks.results == (result_hash(run.result),)
    assert np.array_equal(np.asarray(Image.open(marked)), np.asarray(Image.open(plain)))
    with Image.open(plain) as opened:
        assert opened.info == {}
    for private in (run.folder.name, "sks", str(tmp_path)):
        assert private.encode() not in marked.read_bytes()


def test_a_picture_that_is_there_is_marked_anew_and_not_drawn(
    run: Run, issued: Issued, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = generated(run, tmp_path, "provenance=none")
    monkeypatch.setattr("imprint.verbs.generate.combined_model", lambda *_, **__: pytest.fail("it was there"))
    assert generated(run, tmp_path) == file
    assert marks_of(file).synthetic
    assert generated(run, tmp_path, *issued.settings) == file
    found = credentials.read(file.read_bytes(), anchors=issued.authority.read_bytes())
    assert found is not None
    assert (found.state, found.made_by.results) == ("Trusted", (result_hash(run.result),))
    index = json.loads((tmp_path / "pictures.json").read_text(encoding="utf-8"))
    assert issued.key.name not in json.dumps(index)


def test_a_grid_and_its_sheets_are_marked(run: Run, tmp_path: Path) -> None:
    axis = ["x.key=scale.denoiser", "x.values=[0,1]"]
    grid(compose("grid", [f"run={run.folder}", f"outputs={tmp_path}", *DRAWING, *axis]))
    files = [*tmp_path.glob("*.png"), *(tmp_path / "pictures").glob("*.png")]
    assert len(files) == 3
    assert {marks_of(file).results for file in files} == {(result_hash(run.result),)}


def test_the_model_cards_pictures_are_marked_and_the_samples_are_not(run: Run) -> None:
    [shown] = (run.result / "samples").glob("*.png")
    assert marks_of(shown).results == (result_hash(run.result),)
    samples = list(run.samples.rglob("*.png"))
    assert samples
    for file in samples:
        with Image.open(file) as opened:
            assert opened.info == {}


def test_it_is_no_part_of_an_identity_and_the_key_of_no_file(
    run: Run, issued: Issued, tiny_sd: Path, pictures: Path, tmp_path: Path
) -> None:
    wandb = ["report=default", "report.wandb.mode=offline", "report.progress=off"]
    settings = ["method=lora", *SAMPLES, "dataset.rights=my own dog"]
    cfg = configure(tiny_sd, pictures, tmp_path, *settings, *issued.settings, *wandb)
    assert prepare(cfg).run.signature == run.signature
    trained = train(cfg)
    [shown] = (trained.result / "samples").glob("*.png")
    found = credentials.read(shown.read_bytes())
    assert found is not None
    assert found.state == "Valid"
    for file in tmp_path.rglob("*"):
        if file.is_file():
            assert issued.key.name.encode() not in file.read_bytes(), file


@pytest.mark.parametrize("verb", ["generate", "train"])
def test_a_certificate_that_cannot_sign_is_told_before_anything_is_done(
    verb: str, run: Run, tiny_sd: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("c2pa", reason="the extra credentials is not installed")
    settings = issue(tmp_path / "expired", days=(-9, -1)).settings
    with pytest.raises(ConfigError, match="expired on"):
        if verb == "train":
            train(configure(tiny_sd, pictures, tmp_path / "runs", *settings))
        else:
            generated(run, tmp_path / "drawn", *settings)
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "drawn").exists()


def test_rights_are_in_the_manifest_and_the_card(tiny_sd: Path, pictures: Path, tmp_path: Path) -> None:
    settings = ["method=lora", "hparams.steps=1", "dataset.rights='by *A. Nobody*, CC BY 4.0'"]
    run = train(configure(tiny_sd, pictures, tmp_path, *settings))
    assert only_run(tmp_path).read().config.dataset["rights"] == "by *A. Nobody*, CC BY 4.0"
    card = (run.result / "README.md").read_text(encoding="utf-8")
    assert r"by \*A. Nobody\*, CC BY 4.0" in card


def test_a_card_says_what_is_not_known_and_what_the_result_is_not_for(run: Run) -> None:
    card = (run.result / "README.md").read_text(encoding="utf-8")
    assert "taught from: not stated" in card
    assert "has not consented" in card
    assert "deceive" in card
    assert "was not measured" in card
    assert "a trained model made them" in card
