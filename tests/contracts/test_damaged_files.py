"""Every file that imprint reads back, damaged in every way, before every command that reads it: one line that names the
file and the remedy, or the command does without it. Files and damages, and files and commands, meet in pairs."""

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from compatibility.make_runs import ADAPTERS, INTERRUPTED, SAMPLES, SCORES, SMALL
from compatibility.test_former_runs import INTERRUPTED_LORA, LORA, RELEASE
from compatibility.test_hostile_runs import ask
from omegaconf import DictConfig

from imprint import api
from imprint.config import compose
from imprint.errors import UserError
from imprint.reporting.page import write_sweep_report
from imprint.runs import Run
from imprint.sweeps import Sweep
from imprint.verbs.compare import Request as CompareRequest
from imprint.verbs.compare import as_dict, compare
from imprint.verbs.report import write_report
from imprint.verbs.train import train

SECOND = "other-0123456789"
PAGE = "page.html"
DRAWING = ["generate", "export", "merge", "grid"]  # commands that load a result


class Kind(NamedTuple):
    """To `refused` commands a damage is an error, and `tolerated` ones go on. A file that a run `may_lack` is not
    missed."""

    file: str
    refused: list[str]
    tolerated: list[str]
    may_lack: bool = True


KINDS = {
    "manifest": Kind(f"{LORA}/manifest.json", [*DRAWING, "evaluate", "train", "status"], ["report", "compare"]),
    "configuration": Kind(f"{LORA}/config.yaml", [], ["report", "compare"]),
    "metrics": Kind(f"{LORA}/metrics.csv", ["metrics"], ["report", "compare"]),
    "metrics to go on with": Kind(f"{INTERRUPTED_LORA}/metrics.csv", ["resume"], []),
    "checkpoint": Kind(f"{INTERRUPTED_LORA}/checkpoints/last.ckpt", ["resume"], []),
    "result": Kind(f"{LORA}/result/pytorch_lora_weights.safetensors", DRAWING, [], may_lack=False),
    "scores": Kind(f"{LORA}/scores/quick-6fbf55cf5095.json", ["compare", "train"], ["report", "evaluate"]),
    "samples": Kind(f"{LORA}/samples/samples.json", [], ["report"]),
    "a sample": Kind(f"{LORA}/samples/step-000004/00-s0.png", [], ["report"]),
    "pictures": Kind(f"{LORA}/pictures/subject-4a639788eda2/pictures.json", [], ["report", "evaluate"]),
    "a picture": Kind(f"{LORA}/pictures/subject-4a639788eda2/000-0.png", [], ["report", "evaluate"]),
    "sweep": Kind("sweeps/rates/sweep.json", ["report on a sweep", "launch"], ["report"]),
}
WITHOUT_SENSE = {
    ".json": {
        "a list": b"[1]",
        "null": b"null",
        "a number": b"7",
        "too deep to read": b"[" * 100_000,
        "deep": b'{"a": ' * 100 + b"1" + b"}" * 100,
        "of a huge number": b'{"version": 1' + b"0" * 5000 + b"}",
    },
    ".yaml": {
        "a list": b"- 1",
        "too deep to read": b"[" * 5000,
        "of references": b"a: &a [1, 1]\nb: &b [*a, *a]\n",
        "of a class": b"!!python/object/apply:os.system ['touch PWN']",
    },
    ".csv": {
        "of words": b"step,loss\none,two\n",
        "of infinite steps": b"step,loss\n1e999,0.1\n",
        "with a row too short": b"step,loss,lr\n1\n",
        "without steps": b"loss\n0.1\n",
        "of one huge field": b"step,loss\n" + b"1" * 200_000 + b",1\n",
    },
}
CHANGED_BY_FAILING = {"manifest.json", "error.txt", ".lock"}  # of a run that cannot go on: it says so


def damages(kind: Kind) -> dict[str, bytes | None]:
    """By name, the content in place of the file's own; None: there is no such file."""
    content = (RELEASE / kind.file).read_bytes()
    found: dict[str, bytes | None] = {
        "empty": b"",
        "cut off": content[: len(content) // 2],
        "random": bytes(range(256)) * 8,
        **WITHOUT_SENSE.get(Path(kind.file).suffix, {}),
    }
    if Path(kind.file).suffix == ".csv":  # as a kill may leave it
        del found["empty"], found["cut off"]
    return found if kind.may_lack else {"missing": None, **found}


def pairs(part: str) -> Iterator[Any]:
    for name, kind in KINDS.items():
        commands: list[str] = getattr(kind, part)
        ways = list(damages(kind))
        for number in range(max(len(ways), len(commands)) if commands else 0):
            way, command = ways[number % len(ways)], commands[number % len(commands)]
            yield pytest.param(name, way, command, id=f"{name}, {way}: {command}")


@cache
def training(*command: str) -> DictConfig:
    return compose("train", [*SMALL, *command])


def trained(*command: str) -> Run:
    return train(copy.deepcopy(training(*command)))


def compared(outputs: Path) -> Any:
    asked = CompareRequest(runs=str(outputs), profile=None, json=False, bootstrap=10, seed=0)
    return as_dict(compare(asked))


def launched(outputs: Path) -> None:
    sweep = Sweep(outputs / "sweeps" / "rates")
    sweep.note(question=None, command="imprint train -m", objectives=[], points=[])


COMMANDS: dict[str, Callable[[Path], Any]] = {
    **{verb: lambda outputs, verb=verb: ask(verb, Run(outputs / LORA)) for verb in [*DRAWING, "evaluate"]},
    "train": lambda outputs: trained("method=lora", *ADAPTERS, *SAMPLES, *SCORES),
    "resume": lambda outputs: trained(*INTERRUPTED),
    "compare": compared,
    "report": lambda outputs: write_report([outputs], outputs.with_name(PAGE)),
    "report on a sweep": lambda outputs: write_sweep_report(
        Sweep(outputs / "sweeps" / "rates"), outputs.with_name(PAGE), live=False
    ),
    "launch": launched,
    "status": lambda outputs: api.Run(outputs / LORA).status,
    "metrics": lambda outputs: api.Run(outputs / LORA).metrics,
}


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(RELEASE, tmp_path / "outputs"))


def damaged(outputs: Path, name: str, way: str) -> Path:
    file = outputs / KINDS[name].file
    content = damages(KINDS[name])[way]
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    return file


def contents(outputs: Path) -> dict[Path, bytes]:
    """Of all files, but for the second run that `merge` is given."""
    files = [file for run in outputs.iterdir() if run.name != SECOND for file in run.rglob("*")]
    return {file: file.read_bytes() for file in files if file.is_file()}


@pytest.mark.parametrize(("name", "way", "command"), pairs("refused"))
def test_it_is_one_line_that_names_the_file_and_the_remedy(name: str, way: str, command: str, outputs: Path) -> None:
    file = damaged(outputs, name, way)
    before = contents(outputs)
    with pytest.raises(UserError) as told:
        COMMANDS[command](outputs)
    message = str(told.value)
    assert file.relative_to(outputs).as_posix() in message
    assert "Delete it" in message or "Bring the run's folder whole" in message
    assert "\n" not in message
    after = contents(outputs)
    assert after.get(file) == before.get(file), "what cannot be read is left as it is"
    changed = {place.name for place in before.keys() | after.keys() if before.get(place) != after.get(place)}
    assert changed <= (CHANGED_BY_FAILING if command == "resume" else {".lock"})


@pytest.mark.parametrize(("name", "way", "command"), pairs("tolerated"))
def test_what_can_do_without_it_goes_on(name: str, way: str, command: str, outputs: Path) -> None:
    file = damaged(outputs, name, way)
    COMMANDS[command](outputs)
    assert not Path("PWN").exists()
    if (name, command) == ("scores", "report"):
        assert file.name in Path(PAGE).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (["concepts"], []),
        (["config", "model"], None),
        (["config", "model", "source"], ["a"]),
        (["config", "model", "sampler", "steps"], float("inf")),
        (["config", "method", "rank"], 10**30),
        (["config", "method", "templates"], {"a": 1}),
        (["config", "dataset", "path"], "a\0b"),
        (["config", "dataset", "path"], "pkg://antigravity/pictures"),
        (["content", "dataset"], 5),
        (["frame"], [0, 10**9]),
        (["training", "seconds"], float("nan")),
        (["result_bytes"], 10**400),
    ],
)
def test_a_manifest_with_a_value_that_cannot_be_is_refused(keys: list[str], value: Any, outputs: Path) -> None:
    run = Run(outputs / LORA)
    content = json.loads(run.manifest.read_text(encoding="utf-8"))
    node = content
    for key in keys[:-1]:
        node = node[key]
    node[keys[-1]] = value
    run.manifest.write_text(json.dumps(content))
    with pytest.raises(UserError):
        ask("evaluate", run)
    COMMANDS["report"](outputs)
