"""Coroutines on threads: each runs until it requests something and continues with the answer, one at a time."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from traceback import clear_frames
from typing import Any, NamedTuple


class _Done(NamedTuple):
    error: BaseException | None


class _Raise(NamedTuple):
    error: BaseException


class Coroutine:
    """A thread that runs only while the caller of `start`, `send` or `throw` waits for it, so that the two may share
    any data without locks.

    Unlike a generator it can make a request at any depth, from within a library that knows nothing of it. All calls
    must come from the same thread.
    """

    def __init__(self, name: str, work: Callable[["Coroutine"], None]) -> None:
        self.name = name
        self.is_done = False
        self.error: BaseException | None = None  # with which it ended
        self._requests: SimpleQueue[Any] = SimpleQueue()
        self._answers: SimpleQueue[Any] = SimpleQueue()
        # A daemon: a program that has been told to end at once does not wait for it.
        self._thread = Thread(target=self._run, args=(work,), name=name, daemon=True)

    def start(self) -> Any:
        """Runs it until its first request, which is returned; None when it is done."""
        self._thread.start()
        return self._next_request()

    def send(self, answer: Any) -> Any:
        """Answers its request, and runs it until the next one."""
        self._answers.put(answer)
        return self._next_request()

    def throw(self, error: BaseException) -> Any:
        """As `send`; the request raises `error`."""
        return self.send(_Raise(error))

    def request(self, request: Any) -> Any:
        """To be called by the work itself. `request` must not be None."""
        self._requests.put(request)
        answer = self._answers.get()
        if isinstance(answer, _Raise):
            raise answer.error
        return answer

    def _next_request(self) -> Any:
        request = self._requests.get()
        if not isinstance(request, _Done):
            return request
        self._thread.join()
        self.is_done, self.error = True, request.error
        return None

    def _run(self, work: Callable[["Coroutine"], None]) -> None:
        error: BaseException | None = None
        try:
            work(self)
        except BaseException as raised:
            error = raised
            _release_frames(error)
        self._requests.put(_Done(error))


def _release_frames(error: BaseException | None) -> None:
    """Frees the local variables that the tracebacks of an error and of its causes hold."""
    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
