"""What is said of a sweep before it starts."""

import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from omegaconf import DictConfig

from imprint.launching.axes import Asked
from imprint.launching.costs import Cost, Known, cost, known_runs, total
from imprint.launching.prospects import Prospect, ToDo, prospect_of
from imprint.reporting.units import duration, size

ORDER: tuple[ToDo, ...] = ("done", "to score", "to go on with", "to try again", "to train")
MANY = 40  # points that are listed one by one


def described(prospects: Sequence[Prospect], *, asked: int, outputs: Path, listed: bool) -> Iterator[str]:
    """Each point, where `listed`, and what all of it takes."""
    known = known_runs(outputs)
    if listed:
        yield from _lines(prospects[:MANY], known)
        if len(prospects) > MANY:
            yield f"  ... and {len(prospects) - MANY} more"
    counts = Counter(prospect.to_do for prospect in prospects)
    yield f"{_points(len(prospects))}: {', '.join(f'{counts[state]} {state}' for state in ORDER if counts[state])}."
    if len(prospects) < asked:
        yield f"{_points(asked)} were asked for; those that come to the same run are launched once."
    if set(counts) != {"done"}:
        yield _takes(total(prospects, known), outputs)


def foretold(cfg: DictConfig) -> Iterator[str]:
    """What a single training would be. Raises ConfigError."""
    prospect = prospect_of(cfg, Asked((), ()))
    yield f"{prospect.run.folder}: {prospect.to_do}"
    outputs = prospect.run.folder.parent
    if prospect.to_do != "done":
        yield _takes(total([prospect], known_runs(outputs)), outputs)


def _lines(prospects: Sequence[Prospect], known: Sequence[Known]) -> Iterator[str]:
    width = max(len(prospect.told) for prospect in prospects)
    for prospect in prospects:
        seconds = "" if prospect.to_do == "done" else duration(cost(prospect, known).seconds)
        yield f"  {prospect.to_do:13}  {prospect.told:{width}}  {seconds:>12}".rstrip()


def _takes(estimate: Cost, outputs: Path) -> str:
    free = f"{size(_free(outputs))} are free"
    if estimate.seconds is None or estimate.bytes is None:
        return f"How long that takes is not known before runs alike are finished in {outputs.name}/; {free}."
    return (
        f"One after another that takes about {duration(estimate.seconds)}, going by finished runs; results of "
        f"{size(estimate.bytes)} ({free})."
    )


def _free(outputs: Path) -> int:
    there = next(folder for folder in (outputs, *outputs.parents) if folder.exists())
    return shutil.disk_usage(there).free


def _points(count: int) -> str:
    return "1 point" if count == 1 else f"{count} points"
