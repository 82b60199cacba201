"""What arms cost: learning, drawing their pictures, and training what drew them, as far as it is known."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from imprint.errors import UserError
from imprint.reporting.heading import as_argument
from imprint.reporting.units import duration
from imprint.runs import Run
from imprint.study.arms import Arm
from imprint.study.examples import Material, PictureSet
from imprint.study.scores import Board
from imprint.tables.table import Cell, Column, Row, Table

SHORT = 10.0  # seconds, below which parts of them are told


class SetCost(NamedTuple):
    """In seconds; None where it is not known."""

    drawing: float | None
    training: float | None  # of the runs that drew


class ArmCost(NamedTuple):
    """In seconds; None where it is not known."""

    learning: float
    drawing: float | None
    training: float | None
    pictures: int  # that it takes of what was drawn: the kept ones

    @property
    def each(self) -> float | None:
        """Of a picture that is kept: drawing, with the rejected ones, and its share of the training."""
        made = _sum([self.drawing, self.training])
        return None if made is None or not self.pictures else made / self.pictures

    @property
    def all(self) -> float | None:
        return _sum([self.learning, self.drawing, self.training])


def set_cost(pictures: PictureSet, *, near: Sequence[Path]) -> SetCost:
    """As its synthesis.json says, or the runs that drew it, if they lie in one of the folders `near`."""
    about = pictures.folder.about
    rows = [row for _, row in pictures.folder.rows() if not row.is_real] + list(pictures.folder.rejected)
    if not about or not rows:
        return SetCost(None, None)
    each, runs = about.get("seconds_each"), dict.fromkeys(row.run for row in rows if row.run)
    return SetCost(
        each * len(rows) if isinstance(each, int | float) else None,
        _sum([_training(run, about, near) for run in runs]),
    )


def arm_costs(
    boards: Sequence[Board],
    arms: Mapping[str, Arm],
    material: Material,
    shots: Sequence[int],
    *,
    near: Sequence[Path],
) -> dict[str, ArmCost]:
    """Of all learners and numbers of shots. Two arms with the same pictures have the cost of making them both."""
    costs = [set_cost(pictures, near=near) for pictures in material.sets]
    found = {}
    for name, arm in arms.items():
        used = {
            one.content for few in shots for own in arm.pictures(material, few).values() for one in own if arm.sources
        }
        own = [cost for cost, pictures in zip(costs, material.sets, strict=True) if used & pictures.pictures]
        found[name] = ArmCost(
            sum(board.seconds.get(name, 0.0) for board in boards),
            _sum([cost.drawing for cost in own]),
            _sum([cost.training for cost in own]),
            len(used),
        )
    return found


def cost_table(costs: Mapping[str, ArmCost]) -> Table:
    known = [
        Column("Arm", kind="text"),
        Column("Learning", duration, about="learning and testing, of all learners, seeds and numbers of shots"),
        Column("Drawing", duration, about="of the data sets that its pictures are from, with those that were rejected"),
        Column("Training", duration, about="of the runs that drew them"),
        Column("A picture", _short_time, about="drawing and training, shared by the pictures that the arm takes"),
        Column("Together", duration),
    ]
    cells = [
        [
            Cell(name),
            Cell(cost.learning),
            _cell(cost.drawing),
            _cell(cost.training),
            _cell(cost.each) if cost.pictures else Cell(),
            _cell(cost.all),
        ]
        for name, cost in costs.items()
    ]
    unknown = any(cost.all is None for cost in costs.values())
    notes = ["Unknown: what is not in the data set's synthesis.json, and by no run that lies near."] if unknown else []
    return Table(columns=known, rows=[Row(row) for row in cells], title="Cost", key="cost", notes=notes)


def named(pictures: PictureSet) -> str:
    """Of a data set on a page, which is given to others."""
    return as_argument(pictures.folder.folder)


def _training(run: str, about: Mapping[str, Any], near: Sequence[Path]) -> float | None:
    said = about.get("training_seconds")
    seconds = said.get(run) if isinstance(said, dict) else None
    if isinstance(seconds, int | float):
        return float(seconds)
    name = Path(run).name  # a data set may be somebody else's: nothing outside of these folders is looked at
    for folder in near if name not in ("", "..") else ():
        try:
            found = Run(folder / name).read().training.seconds
        except (UserError, OSError):
            continue
        if found is not None:
            return found
    return None


def _sum(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None


def _short_time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds < SHORT else duration(seconds)


def _cell(seconds: float | None) -> Cell:
    return Cell("unknown" if seconds is None else seconds)
