"""A grid or a search, as programs use it."""

from pathlib import Path

from imprint import sweeps
from imprint.api.run import Run
from imprint.api.scores import Score, scores_of
from imprint.locations import locate


class Sweep:
    """The runs of a grid or a search."""

    def __init__(self, folder: str | Path) -> None:
        """`folder` is outputs/sweeps/NAME. Raises UserError where no sweep lies there."""
        self._files = sweeps.Sweep.open(locate(str(folder)))
        self.folder = self._files.folder

    @property
    def runs(self) -> list[Run]:
        """Those that have begun, in the order in which they were planned, each with its `choices`."""
        from imprint.reporting.record import axes, records_of

        points = self._files.points
        keys = axes(points)
        return [
            Run(record.folder, choices={key: record.settings[key] for key in keys if key in record.settings})
            for record in records_of(points)
            if record.status != "absent"
        ]

    @property
    def scores(self) -> list[Score]:
        """Of all its runs. Intervals of the metrics come with them."""
        from imprint.reporting.record import records_of

        return scores_of(records_of(self._files.points))

    @property
    def summary(self) -> str:
        """The results of its points, as Markdown; empty while nothing is finished."""
        return self._files.summary.read_text(encoding="utf-8") if self._files.summary.is_file() else ""

    def __repr__(self) -> str:
        lines = (f"  {run.folder.name}  {run.status}" for run in self.runs)
        return "\n".join([f"Sweep({str(self.folder)!r})", *lines])

    def _repr_markdown_(self) -> str:
        return self.summary or f"`{self!r}`"
