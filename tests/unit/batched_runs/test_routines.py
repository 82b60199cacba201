"""Work that stops where it asks, and goes on when it is answered."""

import gc
import threading
import weakref

import pytest

from imprint.batched_runs.coroutines import Coroutine


def test_it_runs_from_one_question_to_the_next() -> None:
    heard: list[object] = []

    def work(routine: Coroutine) -> None:
        heard.append(routine.ask("how many"))
        heard.append(routine.ask("and then"))

    routine = Coroutine("asks", work)
    assert routine.start() == "how many"
    assert heard == []
    assert routine.answer(3) == "and then"
    assert heard == [3]
    assert routine.answer(None) is None
    assert (routine.is_over, routine.error) == (True, None)
    assert heard == [3, None]


def test_several_take_turns_and_never_run_at_once() -> None:
    running: list[str] = []

    def work(routine: Coroutine) -> None:
        for step in range(50):
            running.append(routine.name)
            assert running == [routine.name]
            running.remove(routine.name)
            assert routine.ask(step) == step

    routines = [Coroutine(name, work) for name in "abc"]
    asked = [routine.start() for routine in routines]
    while not all(routine.is_over for routine in routines):
        asked = [routine.answer(step) for routine, step in zip(routines, asked, strict=True)]
    assert [routine.error for routine in routines] == [None] * 3


def test_an_error_reaches_the_place_that_asked_and_the_one_that_it_ends_with_is_kept() -> None:
    def work(routine: Coroutine) -> None:
        with pytest.raises(ValueError, match="cannot be had"):
            routine.ask("something")
        raise KeyError("its own")

    routine = Coroutine("fails", work)
    routine.start()
    assert routine.throw(ValueError("cannot be had")) is None
    assert isinstance(routine.error, KeyError)


def test_nothing_is_left_of_one_that_is_over() -> None:
    before = threading.active_count()
    routine = Coroutine("short", lambda routine: None)
    assert routine.start() is None
    assert threading.active_count() == before


def test_an_error_keeps_nothing_of_what_the_work_held() -> None:
    class Network:
        pass

    held: list[weakref.ref[Network]] = []

    def work(routine: Coroutine) -> None:
        network = Network()
        held.append(weakref.ref(network))
        try:
            raise MemoryError("out of memory")
        except MemoryError as error:
            raise RuntimeError("explained") from error

    routine = Coroutine("holds", work)
    routine.start()
    assert isinstance(routine.error, RuntimeError)
    gc.collect()
    assert held[0]() is None
