"""What a program has made, to be compared with what an uninterrupted one has."""

import csv
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors.numpy import load_file

COMPARED = (".safetensors", ".csv", ".png", ".bin")


class Difference(NamedTuple):
    """Of two results: the files that are not the same or are there only once, and by how much their numbers differ."""

    files: list[str]
    losses: float
    weights: float


def content(place: Path) -> dict[str, str]:
    """Hashes of weights, losses, pictures, scores and class pictures, by file."""
    return {
        str(file.relative_to(place)): hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(_files(place))
    }


def difference(place: Path, reference: Path) -> Difference:
    mine, theirs = content(place), content(reference)
    files = sorted(name for name in mine.keys() | theirs.keys() if mine.get(name) != theirs.get(name))
    both = [name for name in files if name in mine and name in theirs]
    losses = [
        _farthest(_losses(place / name), _losses(reference / name)) for name in both if name.endswith("metrics.csv")
    ]
    weights = [
        _farthest(_weights(place / name), _weights(reference / name)) for name in both if name.endswith("tensors")
    ]
    return Difference(files, max(losses, default=0.0), max(weights, default=0.0))


def unfinished(place: Path) -> list[str]:
    """What is left of files that were being written."""
    return sorted(str(path.relative_to(place)) for path in place.rglob(".*") if ".partial" in path.name)


def _files(place: Path) -> Iterator[Path]:
    for folder in ("outputs", "cache/class_images"):
        for file in (place / folder).rglob("*"):
            hidden = any(part.startswith(".") for part in file.relative_to(place).parts)
            if file.suffix in COMPARED and file.is_file() and not hidden and "sweeps" not in file.parts:
                yield file


def _losses(file: Path) -> np.ndarray:
    with file.open(encoding="utf-8", newline="") as opened:
        return np.array([float(row["loss"]) for row in csv.DictReader(opened)])


def _weights(file: Path) -> np.ndarray:
    tensors = load_file(file)
    return np.concatenate([tensors[name].ravel() for name in sorted(tensors)])


def _farthest(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.abs(one - other).max()) if one.shape == other.shape else float("inf")
