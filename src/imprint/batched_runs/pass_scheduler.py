"""One pass through the network for many points: who takes part, and what happens where memory is not enough."""

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException

from imprint.batched_runs.batching import deduplicated, one_batch
from imprint.batched_runs.coroutines import Coroutine
from imprint.batched_runs.ensemble import Ensemble
from imprint.batched_runs.memory_budget import MemoryBudget, release_memory
from imprint.batched_runs.requests import RETRY, Backward, Call, Ready, of_one_kind
from imprint.batched_runs.stopping import Stop
from imprint.libraries.torch import is_out_of_memory

log = logging.getLogger(__name__)


class PassScheduler:
    """Lets the routines of all points run in turn, and answers what they ask for.

    A pass takes the calls of all points and ends with their gradients. They need not be at the same step, nor is
    anything known of steps here: whoever asks takes part. Where a pass fails, nothing has changed, so its points make
    it again: in halves from then on if memory was not enough, else each for itself, to find out whose fault it is.

    From the first pass to the next, its points become twice as many, as long as there is room.
    """

    def __init__(
        self,
        routines: Mapping[int, Coroutine],
        together: Callable[[Sequence[int]], Ensemble],
        room: MemoryBudget,
        *,
        first: int,
    ) -> None:
        """`together` makes the network of the points that have met; `first` are the points of the first pass."""
        self._routines = routines
        self._together = together
        self._room = room
        self._size = first  # of points in a pass
        self._is_largest = False
        self._asked: dict[int, Any] = {}  # what each is waiting for; who asked first stands first
        self._passes: Counter[int] = Counter()  # that each has made
        self._alone: set[int] = set()  # could not draw with others
        self._suspects: list[int] = []  # of a failed pass: they are to make it alone

    def conduct(self, stop: Stop) -> None:
        """Until all are over. When a stop is asked for, every routine hears of it where it waits, as a program that is
        told to end."""
        for point, routine in self._routines.items():
            if not stop.is_asked:
                self._note(point, routine.start())
        try:
            self._conduct(stop)
        except Exception:  # whatever happened here, they are not left waiting, with their folders locked
            self._dismiss()
            raise

    def _conduct(self, stop: Stop) -> None:
        ensemble = self._meet()
        while self._asked:
            if stop.is_asked:
                self._dismiss()
                continue
            assert ensemble is not None
            drawing = self._drawing()
            behind = self._behind(drawing)
            if drawing and not behind:
                self._draw(ensemble, drawing)
            else:
                cohort = self._cohort(behind or list(self._asked))
                if (error := self._pass(ensemble, cohort)) is not None:
                    self._begin_again([point for point in cohort if point in self._asked], error)
                elif not self._is_largest:
                    self._grow(len(cohort))

    def _meet(self) -> Ensemble | None:
        met = [point for point, request in self._asked.items() if isinstance(request, Ready)]
        ensemble = self._together(met) if met else None
        for point in met:
            self._answer(point, True)
        return ensemble

    def _dismiss(self) -> None:
        while self._asked:
            point = next(iter(self._asked))
            self._note(point, self._routines[point].throw(SIGTERMException()))

    def _drawing(self) -> dict[int, Call]:
        calls = {point: asked for point, asked in self._asked.items() if isinstance(asked, Call) and not asked.learning}
        alone = next((point for point in calls if point in self._alone), None)
        if alone is not None:
            return {alone: calls[alone]}
        return of_one_kind(calls) if calls else {}

    def _behind(self, drawing: Mapping[int, Call]) -> list[int]:
        """Who has made fewer passes than those who want to draw: mostly they draw after the same one, so it is waited
        for them."""
        most = max((self._passes[point] for point in drawing), default=0)
        training = [point for point, asked in self._asked.items() if not isinstance(asked, Call) or asked.learning]
        return [point for point in training if self._passes[point] < most]

    def _draw(self, ensemble: Ensemble, calls: Mapping[int, Call]) -> None:
        asked_by = deduplicated(calls, lambda point: ensemble.is_untuned(point, calls[point].role))
        together = one_batch({point: calls[point] for point in dict.fromkeys(asked_by.values())})
        try:
            with torch.no_grad():
                outputs = ensemble.call(together)
        except Exception as error:
            self._draw_alone(list(together), error)
            return
        for point, first in asked_by.items():
            if first in outputs:
                self._answer(point, outputs[first])

    def _draw_alone(self, points: Sequence[int], error: Exception) -> None:
        """Those who could not draw together; what they asked for still stands."""
        if len(points) == 1:
            self._note(points[0], self._routines[points[0]].throw(error))
            return
        log.warning("%d points could not draw together; each draws alone now. %s", len(points), _first_line(error))
        self._alone.update(points)
        error.__traceback__ = None
        release_memory()

    def _cohort(self, points: Sequence[int]) -> list[int]:
        while self._suspects:
            if (point := self._suspects.pop(0)) in self._asked:
                return [point]
        return list(points[: self._size])

    def _pass(self, ensemble: Ensemble, cohort: Sequence[int]) -> Exception | None:
        """What went wrong with it, if anything did."""
        while taking_part := [point for point in cohort if point in self._asked]:
            calls = {point: self._asked[point] for point in taking_part if isinstance(self._asked[point], Call)}
            try:
                if not calls:
                    self._descend(taking_part)
                    return None
                alike = of_one_kind(calls)
                outputs = ensemble.call(alike)
            except Exception as error:
                return error
            for point in alike:
                self._answer(point, outputs.pop(point))
        return None

    def _descend(self, points: Sequence[int]) -> None:
        descents: list[Backward] = [self._asked[point] for point in points]
        parameters = [parameter for descent in descents for parameter in descent.parameters]
        gradients = torch.autograd.grad(
            [output for descent in descents for output in descent.outputs],
            parameters,
            [gradient for descent in descents for gradient in descent.gradients],
            allow_unused=True,
        )
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                parameter.grad = gradient.contiguous() if parameter.grad is None else parameter.grad + gradient
        self._passes.update(points)
        for point in points:
            self._answer(point, True)

    def _grow(self, size: int) -> None:
        self._room.note(size)
        if self._size >= len(self._routines):
            self._is_largest = True
        elif self._room.allows(2 * self._size):
            self._size *= 2
        else:
            self._is_largest = True
            log.info("Memory has room for %d points at once.", self._size)

    def _begin_again(self, points: Sequence[int], error: Exception) -> None:
        if len(points) == 1:
            self._note(points[0], self._routines[points[0]].throw(error))
            return
        error.__traceback__ = None  # it holds the pass, and that the memory
        if is_out_of_memory(error):
            self._size, self._is_largest = (len(points) + 1) // 2, True
            log.warning("Memory is not enough for %d points at once; from here on %d.", len(points), self._size)
        else:
            self._suspects = list(points)
            log.warning("A pass of %d points failed; each makes it alone. %s", len(points), _first_line(error))
        for point in points:
            self._answer(point, RETRY)
        release_memory()

    def _answer(self, point: int, answer: Any) -> None:
        self._note(point, self._routines[point].answer(answer))

    def _note(self, point: int, request: Any) -> None:
        self._asked.pop(point, None)  # it goes behind the others
        if request is not None:
            self._asked[point] = request


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
