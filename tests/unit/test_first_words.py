"""No command is silent while PyTorch is imported, and none imports it to refuse what needs none."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from imprint.command_line import FINISHED_RUN, RUNS, VERBS
from imprint.first_words import announcing, speaking_as

RUNS_OF_FORMER_RELEASES = Path(__file__).parents[1] / "compatibility" / "runs"

# Each command up to where it asks for torch, all in one process, in which there is none.
PROGRAM = """
import contextlib, io, json, sys

class AskedForTorch(BaseException):
    pass

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise AskedForTorch(words.getvalue())

sys.meta_path.insert(0, NoTorch())
from imprint.cli import main

outcomes = []
for command in json.loads(sys.stdin.read()):
    words, outcome = io.StringIO(), {"code": 0, "words_before_torch": None}
    with contextlib.redirect_stdout(words), contextlib.redirect_stderr(words):
        try:
            main(command)
        except SystemExit as end:
            outcome["code"] = end.code or 0
        except AskedForTorch as asked:
            outcome["words_before_torch"] = str(asked)
    outcomes.append({**outcome, "said": words.getvalue()})
print(json.dumps(outcomes))
"""


class Outcome(NamedTuple):
    command: list[str]
    code: int
    words_before_torch: str | None  # None: it ended without torch
    said: str


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("places")
    (folder / "picture.png").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def a_run() -> str:
    return str(next(RUNS_OF_FORMER_RELEASES.glob("*/dog6-lora-*")))


def usual(verb: str, run: str, places: Path) -> list[str]:
    """A command that the verb does not refuse at first sight."""
    given = []
    for key, wanted in VERBS[verb].wanted.items():
        place = run if wanted in (FINISHED_RUN, RUNS) else places / "picture.png" if wanted.kind == "file" else places
        given.append(f"{key}={place}")
    more = {
        "init": [f"folder={places / 'new'}"],
        "compare": [run, str(Path(run).parent)],
        "report": [run, f"out={places / 'report.html'}"],
    }
    return [verb, *given, *more.get(verb, [])]


@pytest.fixture(scope="module")
def outcomes(a_run: str, places: Path) -> dict[str, list[Outcome]]:
    commands = {
        "as usual": [usual(verb, a_run, places) for verb in VERBS],
        "misspelt": [[*usual(verb, a_run, places), "outputss=x"] for verb in VERBS],
        "explained": [["train", "--help"], ["study", "-h"]],
        "absent": [[verb, *(f"{key}=absent" for key in given.wanted)] for verb, given in VERBS.items() if given.wanted],
        "nothing given": [[verb] for verb in ("generate", "merge", "study", "caption")],
        "a sweep's": [["train", "-m", "hparams.step=1,2"], ["train", "-m", "method=loraa,lora"]],
        "a service's": [["help", "method.lora"], ["completion", "bash"], ["from-diffusers", "--learning_rate 1e-4"]],
    }
    asked = [command for several in commands.values() for command in several]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(asked), capture_output=True, text=True, check=True, cwd=places
    )
    found = iter(json.loads(done.stdout))
    return {name: [Outcome(command, **next(found)) for command in several] for name, several in commands.items()}


def test_whoever_needs_torch_says_so_before(outcomes: dict[str, list[Outcome]]) -> None:
    asking = [outcome for outcome in outcomes["as usual"] if outcome.words_before_torch is not None]
    assert {"train", "generate", "benchmark"} <= {outcome.command[0] for outcome in asking}
    silent = [outcome.command for outcome in asking if not outcome.words_before_torch.strip()]  # type: ignore[union-attr]
    assert not silent


@pytest.mark.parametrize("verb", ["init", "compare", "report", "publish", "trace"])
def test_what_computes_nothing_needs_no_torch(verb: str, outcomes: dict[str, list[Outcome]]) -> None:
    [outcome] = [outcome for outcome in outcomes["as usual"] if outcome.command[0] == verb]
    assert outcome.words_before_torch is None


@pytest.mark.parametrize("kind", ["misspelt", "absent", "nothing given", "a sweep's"])
def test_what_is_wrong_at_first_sight_is_refused_without_torch(kind: str, outcomes: dict[str, list[Outcome]]) -> None:
    for outcome in outcomes[kind]:
        assert outcome.words_before_torch is None, outcome
        assert outcome.code == 1, outcome
        assert "loading" not in outcome.said, outcome
        assert kind in ("absent", "nothing given") or "did you mean" in outcome.said, outcome


@pytest.mark.parametrize("kind", ["explained", "a service's"])
def test_what_only_tells_needs_no_torch(kind: str, outcomes: dict[str, list[Outcome]]) -> None:
    for outcome in outcomes[kind]:
        assert outcome.words_before_torch is None, outcome
        assert outcome.said.strip(), outcome
        assert "loading" not in outcome.said, outcome


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A library that has not been imported yet."""
    (tmp_path / "slow_library.py").write_text("", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("imprint.first_words.SLOW", {"slow_library": "what is slow"})
    yield "slow_library"
    sys.modules.pop("slow_library", None)


def loaded(name: str) -> None:
    with announcing():
        __import__(name)


def test_a_terminal_is_told_and_left_as_it_was(slow: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", _Terminal())
    said = "imprint train: loading what is slow ..."
    with speaking_as("imprint train"), announcing():
        assert not sys.stderr.getvalue()  # type: ignore[attr-defined]
        __import__(slow)
        assert sys.stderr.getvalue() == said  # type: ignore[attr-defined]
    assert sys.stderr.getvalue() == f"{said}\r{' ' * len(said)}\r"  # type: ignore[attr-defined]


def test_a_pipe_is_told_in_a_line_once(slow: str, capsys: pytest.CaptureFixture[str]) -> None:
    with speaking_as("imprint train"):
        loaded(slow)
        loaded(slow)
    assert capsys.readouterr().err == "imprint train: loading what is slow ...\n"


def test_other_programs_and_the_other_processes_of_a_run_say_nothing(
    slow: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded(slow)
    monkeypatch.setenv("LOCAL_RANK", "1")
    del sys.modules[slow]
    with speaking_as("imprint train"):
        loaded(slow)
    assert not capsys.readouterr().err
