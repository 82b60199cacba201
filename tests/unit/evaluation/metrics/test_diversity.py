"""DIV, its substitute and the Vendi score, by hand."""

import math

import numpy as np
import pytest
from fake_evidence import FakeFeatures, evidence, shot, shots

from imprint.errors import UserError
from imprint.evaluation.metrics.diversity import Div, DivFeatures, Vendi

# Two depths: one of two places with two channels, one of one place with one channel.
A = [[[1.0, 0.0], [0.0, 2.0]], [[1.0]]]
B = [[[0.0, 1.0], [0.0, 1.0]], [[3.0]]]
C = [[[-1.0, 0.0], [0.0, 2.0]], [[-1.0]]]
LAYERS = FakeFeatures({}, {"a": A, "b": B, "c": C})


def test_div_sums_squares_over_channels_averages_over_places_and_sums_over_depths() -> None:
    (value,) = Div(encoder="lpips").measure(evidence(LAYERS, shots={"subject": shots("a", "b")}))
    assert value[:3] == ("subject", 0, None)
    assert value.value == pytest.approx((2 + 1) / 2 + 4)


def test_div_averages_over_the_pairs_of_each_prompt_alone() -> None:
    prompts = [shot("a", 0, 0), shot("b", 0, 1), shot("c", 0, 2), shot("a", 1, 0), shot("c", 1, 1)]
    first, second = Div(encoder="lpips").measure(evidence(LAYERS, shots={"subject": prompts}))
    ab, ac, bc = (2 + 1) / 2 + 4, (4 + 0) / 2 + 4, (2 + 1) / 2 + 16
    assert (first.number, first.value) == (0, pytest.approx((ab + ac + bc) / 3))
    assert (second.number, second.value) == (1, pytest.approx(ac))


def test_the_substitute_averages_what_is_missing_from_a_cosine_of_1() -> None:
    given = evidence(LAYERS, shots={"subject": shots("a", "b")})
    (value,) = DivFeatures(encoder="dino").measure(given)
    assert value.value == pytest.approx(((1 + 0) / 2 + 0) / 2)


def test_the_substitute_says_that_it_is_one() -> None:
    assert "not LPIPS" in DivFeatures.title


@pytest.mark.parametrize("metric", [Div(encoder="lpips"), DivFeatures(encoder="dino")])
def test_one_picture_of_a_prompt_has_no_variety(metric: Div | DivFeatures) -> None:
    assert metric.needs.pictures == 2
    prompts = [shot("a", 0, 0), shot("b", 0, 1), shot("c", 1, 0)]
    with pytest.raises(UserError, match=r"of rex: only one usable picture of 'a sks dog in the snow'.*more a prompt"):
        metric.measure(evidence(LAYERS, shots={"subject": prompts}))


def entropy_count(vectors: list[tuple[float, ...]]) -> float:
    """The definition, in other words: NumPy, no shortcut."""
    unit = np.array([np.array(v) / np.linalg.norm(v) for v in vectors])
    shares = [share for share in np.linalg.eigvals(unit @ unit.T / len(unit)).real if share > 1e-12]
    return math.exp(-sum(share * math.log(share) for share in shares))


DIRECTIONS = {"x": (1.0, 0.0, 0.0), "y": (0.0, 2.0, 0.0), "z": (0.0, 0.0, 3.0), "also x": (5.0, 0.0, 0.0)}


@pytest.mark.parametrize(
    ("contents", "expected"),
    [
        (("x",), 1.0),
        (("x", "also x"), 1.0),
        (("x", "y"), 2.0),
        (("x", "y", "z"), 3.0),
        (("x", "also x", "y", "z"), entropy_count([DIRECTIONS[name] for name in ("x", "also x", "y", "z")])),
    ],
)
def test_vendi_counts_what_differs(contents: tuple[str, ...], expected: float) -> None:
    given = evidence(FakeFeatures(DIRECTIONS), shots={"subject": shots(*contents)})
    (value,) = Vendi(encoder="dino", per="prompt").measure(given)
    assert value.value == pytest.approx(expected)


def test_vendi_follows_the_definition_on_any_features() -> None:
    vectors = {str(i): tuple(row) for i, row in enumerate(np.random.default_rng(0).normal(size=(7, 4)).tolist())}
    given = evidence(FakeFeatures(vectors), shots={"subject": shots(*vectors)})
    (value,) = Vendi(encoder="dino", per="prompt").measure(given)
    assert value.value == pytest.approx(entropy_count(list(vectors.values())), rel=1e-6)


def test_vendi_of_a_prompt_or_of_the_subject() -> None:
    prompts = [shot("x", 0, 0), shot("also x", 0, 1), shot("y", 4, 0), shot("z", 4, 1)]
    given = evidence(FakeFeatures(DIRECTIONS), shots={"subject": prompts})
    by_prompt = Vendi(encoder="dino", per="prompt").measure(given)
    assert [(v.number, v.k, round(v.value, 6)) for v in by_prompt] == [(0, None, 1.0), (4, None, 2.0)]
    (of_subject,) = Vendi(encoder="dino", per="subject").measure(given)
    assert of_subject[:3] == ("subject", None, None)
    assert 2 < of_subject.value < 3
