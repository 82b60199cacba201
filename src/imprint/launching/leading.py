"""Which point of a sweep is ahead so far, and whether it may be called the best."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from imprint.errors import UserError
from imprint.evaluation.score_sheet import ScoreSheet
from imprint.launching.plan import PlannedPoint
from imprint.launching.status import Statuses
from imprint.reporting.file_cache import FileCache
from imprint.reporting.run_scores import leader_of_runs
from imprint.reporting.scoreboard.columns import columns
from imprint.reporting.scoreboard.leading import NOT_BEST, Leader
from imprint.reporting.units import score

MOST_READ = 1000  # score sheets that are kept in memory


class LeadingPoint(NamedTuple):
    point: PlannedPoint
    metric: str
    leader: Leader

    def __str__(self) -> str:
        but = "" if self.leader.is_best else f" ({NOT_BEST})"
        return f"{self.leader.word} {self.metric}, {score(self.leader.mean)}: {self.point.label}{but}"


class LeadingPoints:
    """Asked again and again while points are at work, it reads only what is new."""

    def __init__(self, points: Sequence[PlannedPoint]) -> None:
        self._points = points
        self._sheets = FileCache(most=MOST_READ)
        self._scored: list[str] = []
        self._found: LeadingPoint | None = None

    def among(self, statuses: Statuses) -> LeadingPoint | None:
        """By the first objective that any point was measured by. None where there is no contest: of fewer than two
        points, of points with different subjects, or measured differently."""
        scored = [point.name for point in self._points if statuses[point.name].means]
        if scored != self._scored:
            self._scored = scored
            self._found = self._leading([point for point in self._points if point.name in scored], statuses)
        return self._found

    def _leading(self, scored: Sequence[PlannedPoint], statuses: Statuses) -> LeadingPoint | None:
        objectives = scored[0].plan.parts.sweep.objectives if scored else []
        for name in objectives:
            contest = {point.name: point for point in scored if name in statuses[point.name].means}
            if contest:
                return self._leading_by(name, contest)
        return None

    def _leading_by(self, name: str, contest: dict[str, PlannedPoint]) -> LeadingPoint | None:
        sheets = {
            own: [s for s in self._read(point) if name in s.rows.get("tuned", {})] for own, point in contest.items()
        }
        sheets = {own: found for own, found in sheets.items() if found}
        measured = [column for column in columns([s for own in sheets.values() for s in own]) if column.name == name]
        subjects = {frozenset(sheet.subject for sheet in own) for own in sheets.values()}
        if len(measured) != 1 or len(subjects) != 1:
            return None
        leader = leader_of_runs(sheets, measured[0])
        return LeadingPoint(contest[leader.name], name, leader) if leader else None

    def _read(self, point: PlannedPoint) -> Iterator[ScoreSheet]:
        """The latest of each subject under the point's profile."""
        notes = point.run.read().scores.values()
        for note in {note.subject: note for note in notes if note.profile == point.profile}.values():
            try:
                yield self._sheets.of(point.run.folder / note.file, ScoreSheet.read)
            except (UserError, OSError):
                continue  # the page says what is wrong with it
