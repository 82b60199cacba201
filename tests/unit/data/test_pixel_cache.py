import pickle

import torch
from torch import Tensor

from imprint.data.pictures import PixelCache


def test_the_least_recently_used_is_dropped_when_the_limit_is_reached() -> None:
    made: list[str] = []

    def make(key: str) -> Tensor:
        made.append(key)
        return torch.zeros(40, dtype=torch.uint8)

    cache = PixelCache(limit=100)
    for key in "abacab":
        assert len(cache.get(key, lambda key=key: make(key))) == 40
    assert made == ["a", "b", "c", "b"]


def test_what_exceeds_the_limit_alone_is_made_but_not_kept() -> None:
    cache = PixelCache(limit=10)
    assert cache.get("a", lambda: torch.zeros(40)).shape == (40,)
    assert cache.get("a", lambda: torch.ones(1)).shape == (1,)


def test_pixels_do_not_travel_with_a_pickle() -> None:
    cache = PixelCache()
    cache.get("a", lambda: torch.zeros(100_000))
    sent = pickle.dumps(cache)
    assert len(sent) < 10_000
    assert pickle.loads(sent).get("a", lambda: torch.ones(1)).item() == 1
