"""Work that stops where it asks, and goes on when it is answered."""

import gc
import threading
import weakref

import pytest

from imprint.batched_runs.coroutines import Coroutine


def test_it_runs_from_one_question_to_the_next() -> None:
    answers: list[object] = []

    def work(coroutine: Coroutine) -> None:
        answers.append(coroutine.request("how many"))
        answers.append(coroutine.request("and then"))

    coroutine = Coroutine("asks", work)
    assert coroutine.start() == "how many"
    assert answers == []
    assert coroutine.send(3) == "and then"
    assert answers == [3]
    assert coroutine.send(None) is None
    assert (coroutine.is_done, coroutine.error) == (True, None)
    assert answers == [3, None]


def test_several_take_turns_and_never_run_at_once() -> None:
    running: list[str] = []

    def work(coroutine: Coroutine) -> None:
        for step in range(50):
            running.append(coroutine.name)
            assert running == [coroutine.name]
            running.remove(coroutine.name)
            assert coroutine.request(step) == step

    coroutines = [Coroutine(name, work) for name in "abc"]
    asked = [coroutine.start() for coroutine in coroutines]
    while not all(coroutine.is_done for coroutine in coroutines):
        asked = [coroutine.send(step) for coroutine, step in zip(coroutines, asked, strict=True)]
    assert [coroutine.error for coroutine in coroutines] == [None] * 3


def test_an_error_reaches_the_place_that_asked_and_the_one_that_it_ends_with_is_kept() -> None:
    def work(coroutine: Coroutine) -> None:
        with pytest.raises(ValueError, match="cannot be had"):
            coroutine.request("something")
        raise KeyError("its own")

    coroutine = Coroutine("fails", work)
    coroutine.start()
    assert coroutine.throw(ValueError("cannot be had")) is None
    assert isinstance(coroutine.error, KeyError)


def test_nothing_is_left_of_one_that_is_over() -> None:
    before = threading.active_count()
    coroutine = Coroutine("short", lambda coroutine: None)
    assert coroutine.start() is None
    assert threading.active_count() == before


def test_an_error_keeps_nothing_of_what_the_work_held() -> None:
    class Network:
        pass

    held: list[weakref.ref[Network]] = []

    def work(coroutine: Coroutine) -> None:
        network = Network()
        held.append(weakref.ref(network))
        try:
            raise MemoryError("out of memory")
        except MemoryError as error:
            raise RuntimeError("explained") from error

    coroutine = Coroutine("holds", work)
    coroutine.start()
    assert isinstance(coroutine.error, RuntimeError)
    gc.collect()
    assert held[0]() is None
