"""A wish to stop that is heard between two passes, and not in the middle of one."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stop:
    is_asked = False

    def ask(self, signum: int, frame: FrameType | None) -> None:
        """As a handler of signals. Whoever asks twice does not want to wait."""
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True


@contextmanager
def heard() -> Iterator[Stop]:
    """Ctrl-C, and the signal by which clusters end a job. Signals reach the main thread alone: elsewhere it is never
    asked."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
