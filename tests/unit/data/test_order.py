from collections import Counter

import pytest

from imprint.data.order import Order


def indices(order: Order, start: int, stop: int) -> list[int]:
    return [order[position] for position in range(start, stop)]


@pytest.mark.parametrize("batch_size", [1, 2, 3, 8])
def test_every_picture_is_seen_once_per_epoch(batch_size: int) -> None:
    order = Order(seed=0, stream="instance", buckets=[None] * 5, batch_size=batch_size)
    epochs = [indices(order, 5 * epoch, 5 * epoch + 5) for epoch in range(20)]
    assert all(sorted(epoch) == [0, 1, 2, 3, 4] for epoch in epochs)
    assert len(set(map(tuple, epochs))) > 10


def test_all_of_many_class_pictures_are_seen() -> None:
    order = Order(seed=0, stream="prior", buckets=[None] * 200, batch_size=4)
    assert set(indices(order, 0, 200)) == set(range(200))


def test_the_order_depends_on_seed_and_stream_but_not_on_the_batch_size() -> None:
    def first(seed: int, stream: str, batch_size: int) -> list[int]:
        return indices(Order(seed=seed, stream=stream, buckets=[None] * 50, batch_size=batch_size), 0, 200)

    assert first(0, "instance", 1) == first(0, "instance", 4)
    assert first(0, "instance", 1) != first(1, "instance", 1)
    assert first(0, "instance", 1) != first(0, "prior", 1)


@pytest.mark.parametrize("buckets", ["aaaaa", "aaabbcd", "abcde"])
def test_any_position_can_be_asked_for_at_any_time(buckets: str) -> None:
    def new() -> Order:
        return Order(seed=3, stream="instance", buckets=list(buckets), batch_size=3)

    whole = indices(new(), 0, 200)
    for start in (1, 17, 100, 199):
        assert indices(new(), start, 200) == whole[start:]
    backwards = new()
    assert [backwards[position] for position in reversed(range(200))] == whole[::-1]


class TestBuckets:
    BUCKETS = "aaaaaaabbbc"

    def order(self, batch_size: int) -> Order:
        return Order(seed=0, stream="instance", buckets=self.BUCKETS, batch_size=batch_size)

    @pytest.mark.parametrize("batch_size", [1, 2, 4, 16])
    def test_a_step_stays_in_one_bucket(self, batch_size: int) -> None:
        order = self.order(batch_size)
        for step in range(50):
            batch = indices(order, step * batch_size, (step + 1) * batch_size)
            assert len({self.BUCKETS[picture] for picture in batch}) == 1

    @pytest.mark.parametrize("batch_size", [1, 2, 4, 16])
    def test_pictures_of_rare_shapes_count_as_much_as_others(self, batch_size: int) -> None:
        order, round_ = self.order(batch_size), len(self.BUCKETS) * batch_size
        for number in range(3):
            counts = Counter(indices(order, number * round_, (number + 1) * round_))
            assert counts == {picture: batch_size for picture in range(len(self.BUCKETS))}

    def test_buckets_alternate_within_a_round(self) -> None:
        order = self.order(1)
        for half in range(10):
            steps = indices(order, half * 11, half * 11 + 6)
            assert len({self.BUCKETS[picture] for picture in steps}) > 1

    def test_rounds_differ(self) -> None:
        order = self.order(1)
        assert len({tuple(indices(order, 11 * number, 11 * number + 11)) for number in range(20)}) > 15
