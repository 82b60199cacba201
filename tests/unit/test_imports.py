"""Imports run one way, as ARCHITECTURE.md draws it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import imprint

SOURCE = Path(imprint.__file__).parent
FLOORS = [
    ["libraries"],
    [
        "errors",
        "first_release",
        "kinds",
        "manifest",
        "suggestions",
        "locations",
        "files",
        "hashing",
        "rng",
        "types",
        "runs",
        "sweeps",
        "provenance",
        "startup",
        "tables",
        "templates",
        "device_transfer",
    ],
    ["models"],
    ["pictures"],
    ["methods", "objectives", "data", "evaluation"],
    ["training"],
    ["reporting"],
    ["config", "construct", "composing", "composition_errors", "requests", "launchers"],
    ["planning"],
    ["results"],
    ["scoring"],
    ["fitting"],
    ["batched_runs"],
    ["launching"],
    ["verbs"],
    ["cli"],
    ["api"],
]
# These stand side by side and do not know each other; within the other floors, parts may use one another.
STRANGERS = {"methods", "objectives", "data", "evaluation"}
# A world of its own: it uses nothing of imprint, and nothing uses it.
APART = {"miniature"}


def floor_of(part: str) -> int:
    return next(index for index, parts in enumerate(FLOORS) if part in parts)


def imports() -> Iterator[tuple[str, str, str]]:
    """(file, its part, an imported part) for every import of imprint in imprint."""
    for file in SOURCE.rglob("*.py"):
        own = file.relative_to(SOURCE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.ImportFrom) and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                steps = name.split(".")
                if steps[0] == "imprint" and len(steps) > 1 and steps[1] not in ("__version__", own):
                    yield str(file.relative_to(SOURCE)), own, steps[1]


def parts() -> set[str]:
    found = {path.name.removesuffix(".py") for path in SOURCE.iterdir() if path.suffix == ".py" or path.is_dir()}
    return {name for name in found if not name.startswith("__") and name != "conf"}


def test_every_part_has_a_floor() -> None:
    assert parts() - APART == {part for floor in FLOORS for part in floor}


def test_imports_run_down() -> None:
    wrong = [
        f"{file}: {own} imports {other}"
        for file, own, other in imports()
        if own != "__init__" and own not in APART and (other in APART or floor_of(other) > floor_of(own))
    ]
    assert not wrong


def test_strangers_do_not_know_each_other() -> None:
    wrong = [
        f"{file}: {own} imports {other}"
        for file, own, other in imports()
        if own in STRANGERS and other in STRANGERS and own != other
    ]
    assert not wrong


def test_the_miniature_knows_nothing_of_the_rest() -> None:
    assert not [f"{file} imports {other}" for file, own, other in imports() if own in APART]
