"""Schedules the passes through the network that the points of a group share: who takes part in each, how many points
fit into memory, and what happens when a pass fails."""

import logging
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
from pytorch_lightning.utilities.exceptions import SIGTERMException

from imprint.batched_runs.batching import compatible_calls, deduplicated, first_batch
from imprint.batched_runs.coroutines import Coroutine
from imprint.batched_runs.ensemble import Ensemble
from imprint.batched_runs.memory_budget import MemoryBudget, release_memory
from imprint.batched_runs.requests import RETRY, Backward, Call, Ready
from imprint.libraries.torch import is_out_of_memory

log = logging.getLogger(__name__)

MakeEnsemble = Callable[[Sequence[int]], Ensemble]


class StopSignal:
    """A request to stop, which is obeyed between two passes and not in the middle of one."""

    is_set = False

    def handle(self, signum: int, frame: FrameType | None) -> None:
        """As a handler of signals. The second signal does not wait for the end of the pass."""
        if self.is_set:
            raise KeyboardInterrupt
        self.is_set = True


def run_together(coroutines: Mapping[int, Coroutine], make_ensemble: MakeEnsemble, device: torch.device) -> None:
    """Runs the coroutines of all points until they are done; what ended each early is in its `error`. Raises
    KeyboardInterrupt when asked to stop."""
    with _stop_signal() as stop:
        PassScheduler(coroutines, make_ensemble, MemoryBudget(device), first_size=1).run(stop)
    if stop.is_set:
        raise KeyboardInterrupt


@contextmanager
def _stop_signal() -> Iterator[StopSignal]:
    """Set by Ctrl-C, and by the signal with which clusters end a job. Signals reach the main thread alone: in another
    one it is never set."""
    stop = StopSignal()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class PassScheduler:
    """Runs the coroutines of all points alternately, and answers their requests.

    A training pass consists of the calls of its points and ends with their gradients. Points need not be at the same
    step, and nothing is known of steps here: every point with a request takes part. A pass that fails has changed
    nothing, so its points make it again: in halves from then on if memory was not enough, else each alone, to find the
    one that fails.

    The number of points in a pass doubles from one pass to the next for as long as memory allows.
    """

    def __init__(
        self,
        coroutines: Mapping[int, Coroutine],
        make_ensemble: MakeEnsemble,
        memory_budget: MemoryBudget,
        *,
        first_size: int,
    ) -> None:
        """`make_ensemble` makes the network of the points that are ready; `first_size` is the number of points in the
        first pass."""
        self._coroutines = coroutines
        self._make_ensemble = make_ensemble
        self._memory_budget = memory_budget
        self._size = first_size  # of points in a pass
        self._is_largest = False
        self._requests: dict[int, Any] = {}  # of the points that are waiting, the oldest first
        self._passes: Counter[int] = Counter()  # training passes that each has made
        self._generating_alone: set[int] = set()  # could not generate pictures in a batch
        self._suspects: list[int] = []  # of a failed pass: each makes it alone

    def run(self, stop: StopSignal) -> None:
        """Until all are done. When a stop is requested, each coroutine is stopped at its request, by the exception of a
        program that is told to end."""
        for point, coroutine in self._coroutines.items():
            if not stop.is_set:
                self._record(point, coroutine.start())
        try:
            self._run(stop)
        except Exception:  # whatever happened here, they must not keep waiting with their folders locked
            self._stop_all()
            raise

    def _run(self, stop: StopSignal) -> None:
        ensemble = self._ensemble_of_ready()
        while self._requests:
            if stop.is_set:
                self._stop_all()
                continue
            assert ensemble is not None
            generating = self._generation_calls()
            behind = self._behind(generating)
            if generating and not behind:
                self._generate(ensemble, generating)
            else:
                points = self._next_points(behind or list(self._requests))
                if (error := self._training_pass(ensemble, points)) is not None:
                    self._retry([point for point in points if point in self._requests], error)
                elif not self._is_largest:
                    self._grow(len(points))

    def _ensemble_of_ready(self) -> Ensemble | None:
        ready = [point for point, request in self._requests.items() if isinstance(request, Ready)]
        ensemble = self._make_ensemble(ready) if ready else None
        for point in ready:
            self._send(point, True)
        return ensemble

    def _stop_all(self) -> None:
        while self._requests:
            self._throw(next(iter(self._requests)), SIGTERMException())

    def _generation_calls(self) -> dict[int, Call]:
        """Those of a pass in which pictures are generated."""
        calls = {
            point: request
            for point, request in self._requests.items()
            if isinstance(request, Call) and not request.needs_grad
        }
        alone = next((point for point in calls if point in self._generating_alone), None)
        if alone is not None:
            return {alone: calls[alone]}
        return compatible_calls(calls) if calls else {}

    def _behind(self, generating: Mapping[int, Call]) -> list[int]:
        """The points that have made fewer training passes than those that are to generate pictures. Mostly all generate
        after the same pass, so these train first and join them."""
        most = max((self._passes[point] for point in generating), default=0)
        training = [
            point for point, request in self._requests.items() if not isinstance(request, Call) or request.needs_grad
        ]
        return [point for point in training if self._passes[point] < most]

    def _generate(self, ensemble: Ensemble, calls: Mapping[int, Call]) -> None:
        computed_by = deduplicated(calls, lambda point: ensemble.is_untuned(point, calls[point].role))
        batch = first_batch({point: calls[point] for point in dict.fromkeys(computed_by.values())})
        try:
            with torch.no_grad():
                outputs = ensemble.call(batch)
        except Exception as error:
            self._generate_alone(list(batch), error)
            return
        for point, first in computed_by.items():
            if first in outputs:
                self._send(point, outputs[first])

    def _generate_alone(self, points: Sequence[int], error: Exception) -> None:
        """After a batch of `points` failed; their requests are still waiting."""
        if len(points) == 1:
            self._throw(points[0], error)
            return
        log.warning(
            "%d points could not generate pictures together; each does so alone now. %s",
            len(points),
            _first_line(error),
        )
        self._generating_alone.update(points)
        error.__traceback__ = None
        release_memory()

    def _next_points(self, points: Sequence[int]) -> list[int]:
        while self._suspects:
            if (point := self._suspects.pop(0)) in self._requests:
                return [point]
        return list(points[: self._size])

    def _training_pass(self, ensemble: Ensemble, points: Sequence[int]) -> Exception | None:
        """The error that ended it early, if any."""
        while waiting := [point for point in points if point in self._requests]:
            calls = {point: self._requests[point] for point in waiting if isinstance(self._requests[point], Call)}
            try:
                if not calls:
                    self._backward(waiting)
                    return None
                batch = compatible_calls(calls)
                outputs = ensemble.call(batch)
            except Exception as error:
                return error
            for point in batch:
                self._send(point, outputs.pop(point))
        return None

    def _backward(self, points: Sequence[int]) -> None:
        requests: list[Backward] = [self._requests[point] for point in points]
        parameters = [parameter for request in requests for parameter in request.parameters]
        gradients = torch.autograd.grad(
            [output for request in requests for output in request.outputs],
            parameters,
            [gradient for request in requests for gradient in request.gradients],
            allow_unused=True,
        )
        for parameter, gradient in zip(parameters, gradients, strict=True):
            if gradient is not None:
                parameter.grad = gradient.contiguous() if parameter.grad is None else parameter.grad + gradient
        self._passes.update(points)
        for point in points:
            self._send(point, True)

    def _grow(self, size: int) -> None:
        self._memory_budget.record(size)
        if self._size >= len(self._coroutines):
            self._is_largest = True
        elif self._memory_budget.allows(2 * self._size):
            self._size *= 2
        else:
            self._is_largest = True
            log.info("Memory has room for %d points at once.", self._size)

    def _retry(self, points: Sequence[int], error: Exception) -> None:
        if len(points) == 1:
            self._throw(points[0], error)
            return
        error.__traceback__ = None  # it holds the pass, and the pass holds memory
        if is_out_of_memory(error):
            self._size, self._is_largest = (len(points) + 1) // 2, True
            log.warning("Memory is not enough for %d points at once; from here on %d.", len(points), self._size)
        else:
            self._suspects = list(points)
            log.warning("A pass of %d points failed; each makes it alone. %s", len(points), _first_line(error))
        for point in points:
            self._send(point, RETRY)
        release_memory()

    def _send(self, point: int, answer: Any) -> None:
        self._record(point, self._coroutines[point].send(answer))

    def _throw(self, point: int, error: BaseException) -> None:
        self._record(point, self._coroutines[point].throw(error))

    def _record(self, point: int, request: Any) -> None:
        self._requests.pop(point, None)  # its next request goes behind those of the others
        if request is not None:
            self._requests[point] = request


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
