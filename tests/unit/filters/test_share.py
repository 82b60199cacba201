"""As many of each subject, the best."""

from candidates import candidate, context

from imprint.filters.base import Verdict
from imprint.filters.share import Share

NUMBERS = {"a": [3.0, 1.0, 2.0, 4.0], "b": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}
CANDIDATES = [candidate(f"{subject}{number}", subject) for subject, numbers in NUMBERS.items() for number in numbers]
RANKED = [Verdict(number, 0, True) for numbers in NUMBERS.values() for number in numbers]


def kept(share: Share, earlier: dict[str, list[Verdict | None]]) -> list[str]:
    found = share.judge(CANDIDATES, context([]), earlier)
    return [one.content for one, verdict in zip(CANDIDATES, found, strict=True) if verdict and verdict.passed]


def test_the_best_of_each_are_kept_and_as_many_of_each() -> None:
    share = Share(share=0.75, by="identity")
    assert kept(share, {"identity": list(RANKED)}) == ["a3.0", "a2.0", "a4.0", "b4.0", "b5.0", "b6.0"]
    assert not list(share.shortages(CANDIDATES, {"identity": RANKED}))


def test_without_a_ranking_the_first_are_kept() -> None:
    first = ["a3.0", "a1.0", "b1.0", "b2.0"]
    assert kept(Share(share=0.5, by=None), {"identity": list(RANKED)}) == first
    assert kept(Share(share=0.5, by="identity"), {"identity": [None] * len(RANKED)}) == first


def test_what_is_rejected_before_makes_room_for_others() -> None:
    earlier = {
        "identity": list(RANKED),
        "blank": [Verdict(0, 0, one.content not in ("b6.0", "a4.0"), "x") for one in CANDIDATES],
    }
    share = Share(share=0.75, by="identity")
    assert kept(share, earlier) == ["a3.0", "a1.0", "a2.0", "b3.0", "b4.0", "b5.0"]
    assert not list(share.shortages(CANDIDATES, earlier))


def test_who_is_short_is_named() -> None:
    blank = [Verdict(0, 0, one.content in ("a1.0", "b5.0", "b6.0", "b4.0"), "x") for one in CANDIDATES]
    share = Share(share=0.75, by=None)
    said = list(share.shortages(CANDIDATES, {"blank": blank}))
    assert len(said) == 1
    assert "keeps 3 pictures of each subject, and fewer have passed of a (1)" in said[0]
    assert kept(share, {"blank": list(blank)}) == ["a1.0", "b4.0", "b5.0", "b6.0"]


def test_a_ranking_that_is_not_there_is_told() -> None:
    assert "there is blank" in next(iter(Share(share=1, by="identity").shortages(CANDIDATES, {"blank": RANKED})))
