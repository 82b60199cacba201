"""The benchmarks are programs beside the package; their modules are imported from their folder."""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
Module = Callable[[str], Any]

SCRIPT = """
import argparse
import json
import sys
from pathlib import Path

import torch
from torchvision import transforms

parser = argparse.ArgumentParser()
parser.add_argument("--output_dir", type=Path, required=True)
parser.add_argument("--max_train_steps", type=int, required=True)
given, rest = parser.parse_known_args()
assert transforms.InterpolationMode.BILINEAR and Path(sys.argv[0]).samefile(__file__)
weight = torch.nn.Parameter(torch.ones(1))
optimizer = torch.optim.SGD([weight], lr=0.1)
for _ in range(given.max_train_steps):
    weight.sum().backward()
    optimizer.step()
given.output_dir.mkdir(parents=True)
(given.output_dir / "told.json").write_text(json.dumps(rest))
"""


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Module:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module


@pytest.fixture
def peer(tmp_path: Path, module: Module) -> Path:
    """A checkout whose scripts train next to nothing and write down what they were told."""
    checkout = tmp_path / "checkout"
    by_family = module("sides.peer").SCRIPTS.values()
    for script in (script for by_method in by_family for script in by_method.values()):
        file = checkout / script
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(SCRIPT)
    return checkout
