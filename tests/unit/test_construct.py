"""Signatures are the schema: all problems at once, each with its key, value and remedy."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import pytest
import torch
from pydantic import PositiveInt

from imprint.construct import Constructor


class Size(NamedTuple):
    height: int
    width: int


@dataclass(frozen=True, kw_only=True)
class Inner:
    depth: PositiveInt


class Outer:
    def __init__(self, *, kind: Literal["red", "blue"], size: Size, inner: Inner, rate: float | None) -> None:
        if rate == 13:
            raise ValueError("rate=13: brings bad luck. Use another.")
        self.kind, self.size, self.inner, self.rate = kind, size, inner, rate


HERE = __name__
GOOD: dict[str, Any] = {
    "_target_": f"{HERE}.Outer",
    "kind": "red",
    "size": {"height": 2, "width": 3},
    "inner": {"_target_": f"{HERE}.Inner", "depth": 4},
    "rate": None,
}


def problems(node: dict[str, Any]) -> list[str]:
    constructor = Constructor()
    assert constructor.build(node, "part") is None
    return [str(problem) for problem in constructor.problems]


def test_plain_values_become_what_the_signature_names() -> None:
    built = Constructor().build(GOOD, "part")
    assert isinstance(built, Outer)
    assert built.size == Size(2, 3)
    assert built.inner == Inner(depth=4)


def test_every_problem_is_found_in_one_pass() -> None:
    found = problems(
        {
            **GOOD,
            "kind": "green",
            "knd": 1,
            "inner": {"_target_": f"{HERE}.Inner", "depth": 0},
            "rate": "quick",
        }
    )
    text = "\n".join(found)
    assert len(found) >= 4
    for expected in (
        "part.kind='green'",
        "part.knd=1",
        "did you mean kind",
        "part.inner.depth=0",
        "part.rate='quick'",
    ):
        assert expected in text


def test_missing_keys_and_values_are_named() -> None:
    node = {name: value for name, value in GOOD.items() if name != "rate"}
    assert any("part.rate is missing" in problem for problem in problems(node))
    assert any("part.kind has no value" in problem for problem in problems({**GOOD, "kind": "???"}))


def test_a_constructors_own_refusal_is_a_problem() -> None:
    assert problems({**GOOD, "rate": 13}) == ["part.rate=13: brings bad luck. Use another."]


def test_a_part_of_the_wrong_kind_is_refused() -> None:
    wrong = {"_target_": f"{HERE}.Outer", **{k: v for k, v in GOOD.items() if k != "_target_"}}
    assert any("part.inner" in problem for problem in problems({**GOOD, "inner": wrong}))


@pytest.mark.parametrize("target", ["nowhere.Thing", f"{HERE}.Nothing", "plain"])
def test_a_target_that_does_not_exist_is_named(target: str) -> None:
    assert any(target in problem for problem in problems({**GOOD, "inner": {"_target_": target}}))


def test_a_partial_waits_for_the_rest_but_not_with_unknown_keys() -> None:
    node = {"_target_": "torch.optim.AdamW", "_partial_": True, "weight_decay": 0.1}
    make: Callable[..., Any] = Constructor().build(node, "optimizer")
    assert make([torch.nn.Parameter(torch.zeros(1))], lr=0.5).defaults["weight_decay"] == 0.1
    assert any("weight_decay" in problem for problem in problems({**node, "weight_dekay": 1}))


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), -float("inf")])
def test_numbers_are_finite(rate: float) -> None:
    assert problems({**GOOD, "rate": rate}) == [f"part.rate={rate}: input should be a finite number."]


def test_a_package_of_an_extra_is_named_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("bitsandbytes", "bitsandbytes.optim"):
        monkeypatch.setitem(sys.modules, name, None)
    constructor = Constructor()
    constructor.build({"_target_": "bitsandbytes.optim.AdamW8bit", "_partial_": True}, "optimizer")
    [problem] = constructor.problems
    assert 'pip install "imprint-diffusion[adam8bit]"' in str(problem)
