"""What is typed, as Hydra takes it: options first, places and sentences without quotes."""

import io
import sys

import pytest

from imprint.cli import _said_meanwhile
from imprint.command_line import as_overrides


@pytest.mark.parametrize(
    ("verb", "typed", "given"),
    [
        ("train", "-m seed=0,1", ["-m", "seed=0,1"]),
        ("train", "seed=0 --config-dir mine a=b --cfg job", ["--config-dir", "mine", "--cfg", "job", "seed=0", "a=b"]),
        ("report", "outputs", ["folder='outputs'"]),
        ("generate", "one steps=2 two", ["run=['one','two']", "steps=2"]),
        ("evaluate", "~/runs -cd mine ~evaluation.rows", ["-cd", "mine", "run='~/runs'", "~evaluation.rows"]),
        ("trace", "a.png one seeds=9 two", ["picture='a.png'", "run=['one','two']", "seeds=9"]),
        ("trace", "a.png", ["picture='a.png'"]),
        ("train", "dataset.rights=mine,(c)", ["dataset.rights='mine,(c)'"]),
        ("generate", "one prompt=a,b", ["run='one'", "prompt='a,b'"]),
    ],
)
def test_options_come_first_and_places_have_their_key(verb: str, typed: str, given: list[str]) -> None:
    assert as_overrides(verb, typed.split()) == given


def test_a_terminal_is_told_at_once_and_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", terminal)
    with _said_meanwhile("loading"):
        assert terminal.getvalue() == "loading"
    assert terminal.getvalue() == "loading\r       \r"


def test_a_file_is_not_told(capsys: pytest.CaptureFixture[str]) -> None:
    with _said_meanwhile("loading"):
        pass
    assert not capsys.readouterr().err
