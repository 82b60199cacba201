"""Work that stops where it asks for something, and goes on when it is answered: of many, one runs at a time."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from traceback import clear_frames
from typing import Any, NamedTuple


class _Over(NamedTuple):
    error: BaseException | None


class _Raise(NamedTuple):
    error: BaseException


class Coroutine:
    """A thread that runs only while whoever started it waits for it, so that the two share all they like.

    Unlike a generator it can ask from any depth, from inside a library that knows nothing of it. Whoever resumes it
    must be one thread, always the same.
    """

    def __init__(self, name: str, work: Callable[["Coroutine"], None]) -> None:
        self.name = name
        self.is_over = False
        self.error: BaseException | None = None  # with which it ended
        self._requests: SimpleQueue[Any] = SimpleQueue()
        self._answers: SimpleQueue[Any] = SimpleQueue()
        # A daemon: a program that has been told to end at once does not wait for it.
        self._thread = Thread(target=self._run, args=(work,), name=name, daemon=True)

    def start(self) -> Any:
        """Runs it until it asks; what for is returned. None when it is over."""
        self._thread.start()
        return self._asked()

    def answer(self, answer: Any) -> Any:
        """Gives it what it asked for, and runs it until it asks again."""
        self._answers.put(answer)
        return self._asked()

    def throw(self, error: BaseException) -> Any:
        """The same with an error: what it asked for cannot be had."""
        return self.answer(_Raise(error))

    def ask(self, request: Any) -> Any:
        """To be called by the work itself. Never None."""
        self._requests.put(request)
        answer = self._answers.get()
        if isinstance(answer, _Raise):
            raise answer.error
        return answer

    def _asked(self) -> Any:
        request = self._requests.get()
        if not isinstance(request, _Over):
            return request
        self._thread.join()
        self.is_over, self.error = True, request.error
        return None

    def _run(self, work: Callable[["Coroutine"], None]) -> None:
        error: BaseException | None = None
        try:
            work(self)
        except BaseException as raised:
            error = raised
            _let_go(error)
        self._requests.put(_Over(error))


def _let_go(error: BaseException | None) -> None:
    """What an error, and those that led to it, keep of the memory of the work that they ended."""
    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__
