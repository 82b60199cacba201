"""The trials of a search as points of a sweep: launched, watched, and noted in its folder."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher

from imprint.composing import Composer
from imprint.errors import UserError
from imprint.launching.axes import Asked
from imprint.launching.grid import heard
from imprint.launching.keeping import Keeper
from imprint.launching.observing import Observer
from imprint.launching.prospects import Prospect, prospect_of
from imprint.launching.showing import choose_show
from imprint.launching.standing import Standing
from imprint.launching.summing_up import failures
from imprint.sweeps import Sweep

log = logging.getLogger(__name__)


class Attempts:
    """`fixed` and `own` are set for every trial; `goals` are the metrics that it is judged by."""

    def __init__(
        self,
        composer: Composer,
        launcher: Launcher,
        sweep: Sweep,
        *,
        command: str,
        fixed: tuple[str, ...],
        own: Sequence[str],
        goals: Sequence[str],
    ) -> None:
        self._composer = composer
        self._launcher = launcher
        self._sweep = sweep
        self._command = command
        self._fixed = fixed
        self._own = own
        self._goals = goals
        self._prospects: list[Prospect] = []
        self._seen: dict[str, Standing] = {}
        self._heard: dict[str, str] = {}
        self._refused: dict[str, str] = {}  # why trials could not even begin, by what was set for them
        self._keeper = Keeper(sweep, self._prospects)

    def values(self, chosen: Sequence[Mapping[str, Any]]) -> list[list[float] | None]:
        """What each comes to, all of them launched together; None where it failed."""
        tried = [self._prospect(params) for params in chosen]
        together = {prospect.name: prospect for prospect in tried if prospect}
        self._run(list(together.values()))
        return [self._value(prospect) if prospect else None for prospect in tried]

    def failure(self) -> UserError | None:
        """What the search ends with, if a trial did not end well."""
        refused = [f"  - {told}: {reason}" for told, reason in self._refused.items()]
        failed = failures(self._prospects, self._seen, self._heard)
        if not refused:
            return failed
        return UserError("\n".join([*([str(failed)] if failed else []), "Trials that cannot be:", *refused]))

    def close(self) -> None:
        if self._prospects:
            self._keeper.end(self._seen)
            log.info("Summary: %s", self._sweep.summary)
            log.info("Report:  %s", self._sweep.report)

    def _prospect(self, params: Mapping[str, Any]) -> Prospect | None:
        told = tuple(f"{key}={value}" for key, value in params.items())
        asked = Asked((*self._fixed, *told), told)
        try:
            return prospect_of(self._composer.point(asked.overrides), asked)
        except (UserError, HydraException) as error:
            self._refused[" ".join(told)] = str(error)
            log.warning("%s cannot be: %s", " ".join(told), error)
            return None

    def _run(self, together: Sequence[Prospect]) -> None:
        new = [prospect for prospect in together if prospect.name not in self._seen]
        if not new:
            return
        self._prospects += new
        self._note(new)
        observer = Observer(new, choose_show(new), lambda seen: self._keeper.keep(self._seen | dict(seen)))
        left = [prospect for prospect in new if prospect.to_do != "done"]
        try:
            with observer:
                points = [[*prospect.asked.overrides, *self._own] for prospect in left]
                first = len(self._prospects) - len(new)
                self._heard |= heard(left, self._launcher.launch(points, initial_job_idx=first) if points else [])
        except Exception as error:  # of the launcher; the folders tell how far the points are
            self._heard |= {prospect.name: str(error) for prospect in left}
            log.warning("The launcher failed: %s", error)
        finally:
            self._seen |= observer.seen

    def _note(self, new: Sequence[Prospect]) -> None:
        settings = new[0].plan.parts.sweep
        self._sweep.note(
            question=settings.question,
            command=self._command,
            objectives=settings.objectives,
            points=[prospect.point for prospect in new],
        )

    def _value(self, prospect: Prospect) -> list[float] | None:
        seen = self._seen[prospect.name]
        measured = seen.state == "done" and all(name in seen.means for name in self._goals)
        return [seen.means[name] for name in self._goals] if measured else None
