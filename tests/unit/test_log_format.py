"""Nothing that a file is called, or holds, is a command to the terminal."""

import logging
from pathlib import Path
from pydoc import locate
from typing import Any

import pytest
import yaml
from command import typed_with

from imprint.config import conf_folder

EVIL = "\x1b]0;owned\x07\x1b[2Jdog\x9b31m\u202eeno"
PLACES = {"shell.yaml": ["hydra", "job_logging"], "hydra/hydra_logging/stderr.yaml": []}  # where lines get their form


@pytest.mark.parametrize("file", PLACES)
def test_a_log_line_has_no_commands(file: str) -> None:
    settings: Any = yaml.safe_load((conf_folder() / file).read_text(encoding="utf-8"))
    for key in PLACES[file]:
        settings = settings[key]
    chosen = settings["formatters"]["simple"]
    formatter: Any = locate(chosen["class"])
    record = logging.makeLogRecord({"msg": "This caption is cut: %s\n  and goes on", "args": (EVIL,)})
    written = formatter(chosen["format"]).format(record)
    assert written == "This caption is cut: ]0;owned[2Jdog31meno\n  and goes on"


def test_an_error_has_no_commands(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said = typed_with(capfd)("report", f"folder='{tmp_path}/{EVIL}'")
    assert said.code == 1
    assert not set("\x1b\x07\x9b\u202e") & set(said.text)
