"""KID, FID and drift: whether everything else is still drawn as it was."""

from typing import Any

import numpy as np
import pytest
import torch
from fake_evidence import FakeFeatures, evidence, photo, shot, shots

from imprint.errors import UserError
from imprint.evaluation.metrics.distribution import Fid, Kid
from imprint.evaluation.metrics.drift import Drift

RNG = np.random.default_rng(3)
DRAWN, REAL = RNG.normal(size=(9, 4)), 0.5 + 1.3 * RNG.normal(size=(8, 4))


def given(drawn: np.ndarray = DRAWN, real: np.ndarray = REAL, **parts: Any) -> Any:
    vectors = {f"drawn {i}": row.tolist() for i, row in enumerate(drawn)}
    vectors |= {f"real {i}": row.tolist() for i, row in enumerate(real)}
    untuned = shots(*(name for name in vectors if name.startswith("real")), set="class")
    tuned = shots(*(name for name in vectors if name.startswith("drawn")), set="class")
    return evidence(FakeFeatures(vectors), **{"shots": {"class": tuned}, "untuned": {"class": untuned}, **parts})


def kid(**settings: Any) -> Kid:
    return Kid(**{"encoder": "clip", "against": "untuned", "subsets": 400, "subset_size": 6, **settings})


def unbiased_distance(x: np.ndarray, y: np.ndarray) -> float:
    """The definition: means over pairs of different pictures, and over all pairs across."""

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        return float((a @ b / len(a) + 1) ** 3)

    within = [
        np.mean([kernel(a, b) for i, a in enumerate(some) for j, b in enumerate(some) if i != j]) for some in (x, y)
    ]
    return float(sum(within) - 2 * np.mean([kernel(a, b) for a in x for b in y]))


def test_kid_approaches_the_unbiased_distance_of_all_pictures() -> None:
    (value,) = kid(subsets=3000, subset_size=7).measure(given())
    assert value[:3] == ("class", None, None)
    assert value.value == pytest.approx(unbiased_distance(REAL, DRAWN), rel=0.05)


def test_kid_is_the_same_every_time_and_leaves_other_randomness_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    first = kid(subsets=5).measure(given())
    assert torch.rand(1) == expected
    assert kid(subsets=5).measure(given()) == first


@pytest.mark.parametrize("subset_size", [8, 9])
def test_kid_refuses_subsets_that_are_not_smaller_than_the_sets(subset_size: int) -> None:
    with pytest.raises(UserError, match=r"KID .*of rex: subset_size=.* 9 drawn and 8 to compare .*smaller subset_size"):
        kid(subset_size=subset_size).measure(given())


def test_class_photos_stand_against_the_pictures_where_that_is_chosen() -> None:
    photos = [photo(f"real {i}") for i in range(len(REAL))]
    metric = kid(against="class_photos")
    assert metric.needs.untuned == ()
    assert metric.needs.class_photos > 0
    assert metric.measure(given(untuned={}, class_photos=photos)) == kid().measure(given())


def test_without_class_photos_the_other_choice_is_named() -> None:
    with pytest.raises(UserError, match=r"of rex: there are no photos of its class.*against=untuned"):
        kid(against="class_photos").measure(given())


def frechet_distance(x: np.ndarray, y: np.ndarray) -> float:
    """The definition, with the square root taken by symmetric eigenvectors."""
    cov_x, cov_y = (np.cov(some, rowvar=False) for some in (x, y))
    shares, axes = np.linalg.eigh(cov_x)
    root = axes @ np.diag(np.sqrt(shares.clip(0))) @ axes.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ cov_y @ root).clip(0)).sum()
    return float(((x.mean(0) - y.mean(0)) ** 2).sum() + np.trace(cov_x) + np.trace(cov_y) - 2 * cross)


def test_fid_is_the_frechet_distance() -> None:
    (value,) = Fid(encoder="clip", against="untuned").measure(given())
    assert value[:3] == ("class", None, None)
    assert value.value == pytest.approx(frechet_distance(REAL, DRAWN), rel=1e-4)


def test_fid_of_equal_sets_is_zero() -> None:
    (value,) = Fid(encoder="clip", against="untuned").measure(given(DRAWN, DRAWN))
    assert value.value == pytest.approx(0, abs=1e-6)


def test_fid_refuses_as_few_pictures_as_features() -> None:
    with pytest.raises(UserError, match=r"FID .*of rex: with 4 features, more than 4 .* 9 drawn and 4 .*use KID"):
        Fid(encoder="clip", against="untuned").measure(given(DRAWN, REAL[:4]))


@pytest.mark.parametrize("metric", [Kid, Fid])
def test_their_titles_say_whose_features_they_are_not(metric: Any) -> None:
    assert "not Inception" in metric.title


EAST, NORTH, WEST = (2.0, 0.0), (0.0, 3.0), (-1.0, 0.0)
TURNS = FakeFeatures({"e": EAST, "n": NORTH, "w": WEST})


def test_drift_compares_the_two_models_pictures_of_one_noise() -> None:
    tuned = {"class": [shot("n", 0, 0, set="class"), shot("w", 0, 1, set="class")]}
    untuned = {"class": [shot("w", 0, 1, set="class"), shot("e", 0, 0, set="class")]}  # in another order
    values = Drift(encoder="clip", sets=["class"]).measure(evidence(TURNS, shots=tuned, untuned=untuned))
    assert [(*value[:3], round(value.value, 6)) for value in values] == [("class", 0, 0, 0.5), ("class", 0, 1, 0.0)]


def test_drift_of_the_opposite_is_1() -> None:
    tuned, untuned = ({"unrelated": shots(name, set="unrelated")} for name in ("e", "w"))
    (value,) = Drift(encoder="clip", sets=["unrelated"]).measure(evidence(TURNS, shots=tuned, untuned=untuned))
    assert value.value == pytest.approx(1.0)


def test_drift_leaves_out_what_one_of_the_models_has_not_drawn() -> None:
    tuned = {"class": [shot("n", 0, 0, set="class"), shot("e", 0, 1, set="class")]}
    untuned = {"class": [shot("e", 0, 1, set="class")]}
    values = Drift(encoder="clip", sets=["class"]).measure(evidence(TURNS, shots=tuned, untuned=untuned))
    assert [value.k for value in values] == [1]


def test_drift_without_a_common_picture_is_refused() -> None:
    tuned, untuned = {"class": [shot("n", 0, 0, set="class")]}, {"class": [shot("e", 0, 1, set="class")]}
    with pytest.raises(UserError, match="drift of rex: no class prompt has a usable picture by both"):
        Drift(encoder="clip", sets=["class"]).measure(evidence(TURNS, shots=tuned, untuned=untuned))


def test_how_many_pictures_are_needed_is_known_before_any_is_drawn() -> None:
    assert kid(subset_size=20).needs.in_all == 21
    assert kid().needs.sets == kid().needs.untuned == ("class",)
    assert Fid(encoder="clip", against="class_photos").needs.outnumber_features
