"""How a run is told apart from others at W&B: its display name, the keys to group by, the names of its scores."""

from collections.abc import Mapping
from typing import Any

from imprint.errors import UserError
from imprint.kinds import label_of
from imprint.reporting.labels import headings, short
from imprint.reporting.record import axes, given
from imprint.runs import Run
from imprint.sweeps import Sweep

SETTINGS = "settings"  # the key of the whole configuration: its parts would hide the plain keys
PARTS = ("method", "prior", "objective")  # told by the name of their choice
IN_NAME = ("dataset", "method", "model")  # choices that a run's name begins with
NUMBERS = {"lr": "method.lr", "steps": "hparams.steps", "batch_size": "hparams.batch_size", "seed": "seed"}
OF_METHOD = ("rank", "alpha")  # also with the method before it: lora_rank


def display_name(run: Run, name: str) -> str:
    """`rex-lora-mini lr=0.001 rank=16`: with what is set for this point of its sweep and not for all of them."""
    config = run.read().config.tree()
    sweep = config.get("sweep")
    called = sweep.get("name") if isinstance(sweep, Mapping) else None
    if not isinstance(called, str) or not called:
        return name
    try:
        points = Sweep.named(called, run.folder.parent).points
    except UserError:  # its record cannot be read, which the sweep itself says
        return name
    folder = run.folder.resolve()
    own = next((point for point in points if point.run.folder.resolve() == folder), None)
    if own is None:
        return name
    set_here = {key: value for key, value in given(own.overrides).items() if key in axes(points)}
    words = headings(list(set_here))
    parts = [f"{words[key].replace(' ', '_')}={short(value)}" for key, value in set_here.items() if key not in IN_NAME]
    return " ".join([name, *parts])


def grouped(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with plain keys to group, filter and plot by. All of it stands under `settings`."""
    told: dict[str, Any] = {}
    for part in PARTS:
        if isinstance(node := config.get(part), Mapping) and (label := label_of(node)):
            told[part] = label
    for key, place in NUMBERS.items():
        if (value := _at(config, place)) is not None:
            told[key] = value
    for key in OF_METHOD:
        if (value := _at(config, f"method.{key}")) is not None:
            told[f"{told.get('method', 'method')}_{key}"] = value
    return {**told, SETTINGS: dict(config)}


def plain_scores(scores: Mapping[str, float]) -> dict[str, float]:
    """`quick/dino` beside `quick/dino@abc123`. Not of scores at another strength or in another base."""
    return {name.partition("@")[0]: value for name, value in scores.items() if "@" in name and ", " not in name}


def _at(config: Mapping[str, Any], place: str) -> Any:
    """A number or a word; None where there is none."""
    node: Any = config
    for key in place.split("."):
        node = node.get(key) if isinstance(node, Mapping) else None
    return node if isinstance(node, int | float | str) else None
