"""Studies whose cells are told what they have learned, and a data set with names that would be markup."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from imprint import rng
from imprint.study.cells import VERSION, Cell, Result

MARKUP = "<img src=x onerror=alert(1)>"
ARMS = "arms=[real,classical,synthetic,truth]"
SECONDS = 2.0  # that each cell took


def learn_nothing(patch: pytest.MonkeyPatch) -> None:
    """Cells have probabilities by their arm: those of `truth` are near the right answer."""

    def run(cell: Cell, tools: Any) -> Result:
        sure = {"truth": 3.0, "synthetic": 1.0}.get(cell.place.arm.partition("-")[0], 0.3)
        classes = cell.training.classes
        found = {}
        for one in cell.tests:
            logits_K = torch.randn(len(classes), generator=rng.generator("told", *cell.place, one.content))
            logits_K[classes.index(cell.question.of[one.subject])] += sure
            found[one.content] = logits_K.double().softmax(dim=0).tolist()
        return Result(
            version=VERSION,
            place=cell.place,
            choices={},
            weights="",
            seconds=SECONDS,
            classes=classes,
            probabilities=found,
        )

    patch.setattr(Cell, "run", run)


def write_hostile(world: Path, folder: Path) -> Path:
    """The same world, whose cats are called like markup; filters have rejected some pictures, and say so in markup."""
    shutil.copytree(world, folder)
    for part in ("photos", "test", "truth"):
        (folder / part / "cat").rename(folder / part / MARKUP)
    lines = (folder / "data/train/metadata.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [_named(json.loads(line)) for line in lines]
    kept, rejected = [row for row in rows if row["k"] == 0], [row for row in rows if row["k"] == 1]
    for row in rejected:
        target = folder / "data/.rejected" / row["file_name"]
        target.parent.mkdir(parents=True, exist_ok=True)
        (folder / "data/train" / row["file_name"]).rename(target)
        row["reasons"] = [f"identity: {MARKUP}", "copies: of a photo"]
    for split, own in (("train", kept), (".rejected", rejected)):
        (folder / f"data/{split}/metadata.jsonl").write_text("\n".join(map(json.dumps, own)), encoding="utf-8")
    return folder


def _named(row: dict[str, Any]) -> dict[str, Any]:
    row = {**row, "prompt": f"a photo of {MARKUP}"}
    if row["subject"] == "cat":
        row |= {"subject": MARKUP, "labels": {MARKUP: 1.0}, "parent": row["parent"].replace("cat/", f"{MARKUP}/")}
    return row


def places(folder: Path) -> dict[str, Any]:
    """For `made`."""
    return {
        "data": f"[{folder / 'photos'},{folder / 'data'}]",
        "test": folder / "test",
        "pictures": f"{{truth:{folder / 'truth'}}}",
    }
