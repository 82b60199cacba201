"""One command with its verbs, and what each says to wrong input."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from imprint.miniature.__main__ import VERBS, main
from imprint.miniature.scene import NOUNS
from imprint.miniature.sheet import SHEETS, contact_sheet
from imprint.miniature.subjects import named


def test_it_is_started_as_a_module_and_lists_its_verbs() -> None:
    said = subprocess.run(
        [sys.executable, "-m", "imprint.miniature", "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert all(verb in said for verb in VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([verb, "--help"])
    assert stop.value.code == 0
    assert f"python -m imprint.miniature {verb}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "<verb>"),
        (["shet"], "sheet"),
        (["sheet", "out", "--what", "dogs"], "classes"),
        (["sheet", "out", "--subject", "dog4"], "dog6"),
        (["export", "out", "dog4"], "dog6"),
        (["export", "out", "dog6", "--places", "moon"], "jungle"),
        (["export", "out", "dog6", "--size", "8"], "32 to 1024"),
        (["pretrain", "--work", "out", "--set", "autoencoder.stepz=3"], "stepz"),
        (["pretrain", "--work", "out", "--continue-from", "nowhere"], "nowhere"),
        (["report", "--out", "out", "--scheduler", "DDIMM"], "DDIMM"),
        (["report", "--out", "out", "--scenes", "150"], "multiple of 100"),
        (["report", "--out", "out", "--weights", "nowhere"], "nowhere"),
    ],
)
def test_wrong_input_is_told_with_what_is_right_and_writes_nothing(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_sheets_are_written_into_a_folder(tmp_path: Path) -> None:
    main(["sheet", str(tmp_path / "new"), "--what", "views", "properties"])
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"views.png", "properties.png"}
    with Image.open(tmp_path / "new" / "views.png") as sheet:
        assert sheet.width > len(NOUNS) * 64


def test_export_is_reached_through_it(tmp_path: Path) -> None:
    main(["export", str(tmp_path), "teapot", "--format", "png", "--places", "eiffel_tower"])
    assert (tmp_path / "dataset" / "teapot" / "00.png").exists()
    assert (tmp_path / "true" / "teapot" / "eiffel_tower.png").exists()


def test_a_subject_is_shown_in_all_places() -> None:
    rows = SHEETS["in_all_places"](named("dog6"))
    assert {scene.subject for _, row in rows for scene in row} == {named("dog6")}
    assert len(rows) > 30
    assert contact_sheet("styles", named("dog6"), zoom=2).height > 7 * 128
