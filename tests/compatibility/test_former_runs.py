"""Runs that the first release made are opened, skipped and resumed by this one, and nothing of theirs is made again."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from compatibility.make_runs import ADAPTERS, COMMANDS, INTERRUPTED, SAMPLES, SCORES, SMALL
from omegaconf import DictConfig
from rounding import near_weights
from safetensors.torch import load_file
from small_runs import losses

from imprint.config import compose
from imprint.planning.prepare import prepare
from imprint.reporting.record import find_runs
from imprint.reporting.sample_index import read_samples
from imprint.runs import Run
from imprint.sweeps import Sweep
from imprint.verbs.compare import Request as CompareRequest
from imprint.verbs.compare import compare
from imprint.verbs.evaluate import evaluate
from imprint.verbs.export import export
from imprint.verbs.generate import generate
from imprint.verbs.merge import merge
from imprint.verbs.report import write_report
from imprint.verbs.train import train

RELEASE = Path(__file__).parent / "runs" / "0.1"
LORA = "dog6-lora-mini-80f4098a35"
PIVOTAL = "dog6-pivotal-mini-d3df1b3358"
WORD = "dog6-textual_inversion-mini-79d70f9d45"
DREAMBOOTH = "dog6-dreambooth-mini-15565bb7b5"  # without its result
INTERRUPTED_LORA = "dog6-lora-mini-69b9ea3039"
DRAWING = ["prompt='a {identifier} {noun}'", "seeds=[0]", "steps=1", "accelerator=cpu"]
CLASS_PICTURES = "176dc36c530ca268"  # the folder in the cache that the pivotal run's prior had


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the runs, where the same commands find them."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(RELEASE, tmp_path / "outputs"))


def of(verb: str, *settings: str) -> DictConfig:
    return compose(verb, [*settings, *(DRAWING if verb == "generate" else [])])


@pytest.fixture(scope="module")
def composed() -> Callable[..., DictConfig]:
    return lambda *command: compose("train", [*SMALL, *command])


@pytest.mark.parametrize(
    ("command", "name"), zip([*COMMANDS, INTERRUPTED], [LORA, WORD, PIVOTAL, DREAMBOOTH, INTERRUPTED_LORA], strict=True)
)
def test_the_same_command_means_the_same_folder(command: list[str], name: str, outputs: Path) -> None:
    assert prepare(compose("train", [*SMALL, *command])).run.folder == outputs / name


def test_a_finished_run_is_skipped_and_its_scores_are_found(outputs: Path) -> None:
    before = {file: file.read_bytes() for file in (outputs / LORA).rglob("*") if file.is_file()}
    train(compose("train", [*SMALL, "method=lora", *ADAPTERS, *SAMPLES, *SCORES]))
    assert {file: file.read_bytes() for file in (outputs / LORA).rglob("*") if file.is_file()} == before


def test_an_interrupted_run_goes_on_from_its_checkpoint(outputs: Path, tmp_path: Path) -> None:
    before = losses(Run(outputs / INTERRUPTED_LORA))
    run = train(compose("train", [*SMALL, *INTERRUPTED]))
    assert run.folder == outputs / INTERRUPTED_LORA
    assert run.status == "finished"
    assert losses(run)[: len(before)] == before
    assert len(losses(run)) == 4
    assert run.read().config.method["_kind_"] == "method/lora"
    whole = train(compose("train", [*SMALL, *INTERRUPTED, f"outputs={tmp_path / 'whole'}"]))
    [ours], [expected] = (list(one.result.rglob("*.safetensors")) for one in (run, whole))
    assert near_weights(load_file(ours), load_file(expected), rate=1e-3, steps=4)


@pytest.mark.parametrize("name", [LORA, PIVOTAL, WORD])
def test_its_pictures_are_drawn(name: str, outputs: Path) -> None:
    folder = generate(of("generate", f"run={outputs / name}"))
    assert list(folder.glob("*-s0-*.png"))


def test_a_result_is_exported_and_merged(outputs: Path) -> None:
    own = export(of("export", f"run={outputs / LORA}", "format=kohya", "dtype=float32"))
    assert load_file(own)
    both = [outputs / LORA, outputs / "dog6-lora-mini-0c354ebce4"]
    out = merge(of("merge", f"run=[{both[0]},{both[1]}]", f"out={outputs / 'both.safetensors'}"))
    assert load_file(out)


def test_it_is_scored_anew_with_the_fingerprints_of_then(outputs: Path) -> None:
    [before] = (outputs / LORA / "scores").glob("*.json")
    pictures = outputs / LORA / "pictures" / "subject-4a639788eda2"
    drawn = (pictures / "000-0.png").stat().st_mtime_ns
    [after] = evaluate(of("evaluate", f"run={outputs / LORA}", "accelerator=cpu", *SCORES))
    assert after == before
    assert [folder.name for folder in pictures.parent.iterdir()] == [pictures.name]
    assert (pictures / "000-0.png").stat().st_mtime_ns == drawn


def test_pictures_of_its_prior_are_the_ones_in_the_cache(outputs: Path) -> None:
    plan = prepare(compose("train", [*SMALL, *COMMANDS[2]]))
    store = plan.parts.prior.store(plan.facts, "a dog", precision="32")
    assert store.folder.name == CLASS_PICTURES


def test_it_is_compared_and_reported(outputs: Path) -> None:
    records = find_runs([outputs])
    assert sorted(record.status for record in records) == [*["finished"] * 6, "stopped"]
    assert {record.settings["method"] for record in records} == {
        "dreambooth",
        "lora",
        "pivotal",
        "textual_inversion",
    }
    asked = CompareRequest(runs=str(outputs), profile=None, json=False, bootstrap=10, seed=0)
    found = compare(asked)
    assert found.board is not None
    assert [entry.sheets[0].method for entry in found.board.contestants] == ["lora"]
    page = write_report([outputs], outputs / "report.html").read_text(encoding="utf-8")
    assert LORA in page
    assert [len(read_samples(Run(outputs / LORA)))] == [2]
    assert [point.run.status for point in Sweep.open(outputs / "sweeps" / "rates").points] == ["finished"] * 2
