"""A run is somebody's data: looking at it imports and runs nothing that it names."""

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from compatibility.test_former_runs import DREAMBOOTH, LORA, PIVOTAL, RELEASE, WORD, of
from omegaconf import DictConfig, OmegaConf

from imprint.construct import rebuilt
from imprint.data.dataset import Dataset, JointDataset
from imprint.errors import UserError
from imprint.methods.base import Method
from imprint.models.base import ModelSource
from imprint.reporting.record import read_run
from imprint.runs import Run
from imprint.verbs.evaluate import evaluate
from imprint.verbs.export import export
from imprint.verbs.generate import generate
from imprint.verbs.grid import grid
from imprint.verbs.merge import merge

Verb = Callable[[DictConfig], Any]
VERBS: dict[str, tuple[Verb, list[str]]] = {
    "generate": (generate, []),
    "evaluate": (evaluate, ["evaluation=quick", "accelerator=cpu"]),
    "export": (export, []),
    "merge": (merge, ["out=merged.safetensors"]),
    "grid": (grid, ["x.key=seed", "x.values=[0]", "accelerator=cpu", "steps=1"]),
}
PLACES = {
    "a whole model": ["model"],
    "a whole method": ["method"],
    "in a sampler": ["model", "sampler", "negative_prompt"],
    "a whole sampler": ["model", "sampler"],
    "an encoder": ["model", "encoders", "clip"],
    "in a list's place": ["method", "templates"],
}
MODULE = "code_of_others"
FOLDERS = [LORA, PIVOTAL, WORD, DREAMBOOTH]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Of the first release, to be changed. A module that leaves a trace when it is imported can be found."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{MODULE}.py").write_text(
        "from pathlib import Path\nfrom imprint.methods.lora import LoRA\nPath('PWN').touch()\nclass Mine(LoRA): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    return Run(Path(shutil.copytree(RELEASE / LORA, tmp_path / LORA)))


def payloads() -> dict[str, dict[str, Any]]:
    return {
        "os.system": {"_target_": "os.system", "command": "touch PWN"},
        "subprocess": {"_target_": "subprocess.getoutput", "cmd": "touch PWN"},
        "an import": {"_target_": f"{MODULE}.Mine"},
        "a kind that is none": {"_kind_": f"{MODULE}.Mine"},
        "of imprint, elsewhere": {"_kind_": "hparams/default", "steps": 1},
    }


def put(run: Run, keys: list[str], payload: Any) -> None:
    content = json.loads(run.manifest.read_text(encoding="utf-8"))
    node = content["config"]
    for key in keys[:-1]:
        node = node[key]
    node[keys[-1]] = payload
    run.manifest.write_text(json.dumps(content), encoding="utf-8")


def ask(verb: str, run: Run, *trust: str) -> Any:
    work, _ = VERBS[verb]
    cfg = copy.deepcopy(_composed(verb))
    other = run.folder.with_name("other-0123456789")
    if verb == "merge" and not other.exists():
        shutil.copytree(run.folder, other)
    OmegaConf.update(cfg, "run", [str(run.folder), str(other)] if verb == "merge" else str(run.folder))
    OmegaConf.update(cfg, "trust", list(trust))
    return work(cfg)


@cache
def _composed(verb: str) -> DictConfig:
    return of(verb, "run=RUN", *VERBS[verb][1])


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("verb", VERBS)
def test_what_a_manifest_names_is_not_run(verb: str, place: str, run: Run) -> None:
    for name, payload in payloads().items():
        put(run, PLACES[place], payload)
        shutil.rmtree(run.folder.with_name("other-0123456789"), ignore_errors=True)
        with pytest.raises(UserError) as told:
            ask(verb, run)
        assert ".".join(PLACES[place]) in str(told.value), name
        assert "manifest.json" in str(told.value), name
        assert not Path("PWN").exists(), name


@pytest.mark.parametrize("folder", FOLDERS)
def test_nowhere_in_a_manifest_is_a_name_imported(folder: str, run: Run) -> None:
    """At every place of every part that is constructed from it."""
    config = Run(RELEASE / folder).read().config
    for part, expected in (("model", ModelSource), ("method", Method), ("dataset", Dataset | JointDataset)):
        node = getattr(config, part)
        for keys in [[], *places(node)]:
            for name in ("os.system", "subprocess", "an import"):
                with pytest.raises(UserError):
                    rebuilt(replaced(node, keys, payloads()[name]), part, expected, manifest=run.manifest)
                assert not Path("PWN").exists(), (part, keys, name)


def places(node: Any) -> Iterator[list[str]]:
    for key, inner in node.items() if isinstance(node, dict) else ():
        if key != "_kind_":
            yield [key]
            yield from ([key, *more] for more in places(inner))


def replaced(node: Any, keys: list[str], value: Any) -> Any:
    return {**node, keys[0]: replaced(node[keys[0]], keys[1:], value)} if keys else value


def test_nor_is_a_package_in_which_it_says_that_something_lies(run: Run) -> None:
    for keys in (["model", "source"], ["dataset", "path"]):
        put(run, keys, f"pkg://{MODULE}/pictures")
        with pytest.raises(UserError):
            ask("evaluate", run)
        assert read_run(run).references == []
        assert not Path("PWN").exists()


@pytest.mark.parametrize("place", [["dataset"], ["dataset", "path"], ["dataset", "background"]])
def test_nor_is_what_it_names_for_its_pictures(place: list[str], run: Run) -> None:
    for payload in payloads().values():
        put(run, place, payload)
        with pytest.raises(UserError, match="dataset"):
            ask("evaluate", run)
        assert not Path("PWN").exists()


def test_a_class_of_ones_own_is_made_when_it_is_trusted_by_name(run: Run) -> None:
    method = json.loads(run.manifest.read_text(encoding="utf-8"))["config"]["method"]
    put(run, ["method"], {**method, "_target_": f"{MODULE}.Mine"})
    with pytest.raises(UserError, match=rf"trust=\[{MODULE}\.Mine\]"):
        ask("export", run, "another_package.Mine")
    assert not Path("PWN").exists()
    assert ask("export", run, f"{MODULE}.Mine").is_file()


@pytest.mark.parametrize("part", ["model", "method"])
def test_a_manifest_that_lacks_a_part_is_refused_in_words(part: str, run: Run) -> None:
    for payload in ({}, [], None, "lora", {"_target_": ["os.system"]}):
        put(run, [part], payload)
        with pytest.raises(UserError, match=part):
            ask("export", run)
