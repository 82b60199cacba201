"""One number from many."""

import pytest
from fake_evidence import FakeFeatures, evidence, photo, shots

from imprint.evaluation.measuring import scored
from imprint.evaluation.metrics.similarity import Dino
from imprint.evaluation.records import Value

VALUES = [Value("subject", 0, 0, 1.0), Value("subject", 0, 1, 0.0), Value("subject", 1, 0, 0.2)]
CATEGORIES = {("subject", 0): "place", ("subject", 1): "property"}


def test_every_prompt_counts_the_same_in_a_macro_average() -> None:
    assert scored(VALUES, "macro", CATEGORIES).mean == pytest.approx((0.5 + 0.2) / 2)


def test_every_picture_counts_the_same_in_a_pooled_one() -> None:
    assert scored(VALUES, "pairs", CATEGORIES).mean == pytest.approx(0.4)


def test_pooled_pairs_weigh_a_subject_by_its_photos() -> None:
    """Two subjects of one picture each, one with three photos and one with a single one, as OFT's script pools them."""
    near, far = (1.0, 0.0), (0.0, 1.0)
    features = FakeFeatures({"near": near, "far": far, "a": near, "b": near, "c": near, "d": near})
    pooled: list[Value] = []
    for drawn, photos in (("near", "abc"), ("far", "d")):
        given = evidence(
            features, averaging="pairs", shots={"subject": shots(drawn)}, photos=[photo(name) for name in photos]
        )
        pooled += Dino(encoder="dino", references="all", self_pairs="exclude").measure(given)
    assert scored(pooled, "pairs", {}).mean == pytest.approx(3 / 4)


def test_categories_are_averaged_alike() -> None:
    assert scored(VALUES, "macro", CATEGORIES).by_category == pytest.approx({"place": 0.5, "property": 0.2})


def test_equal_numbers_of_two_sets_are_two_prompts() -> None:
    values = [Value("class", 0, 0, 1.0), Value("class", 0, 1, 1.0), Value("unrelated", 0, 0, 0.0)]
    assert scored(values, "macro", {}).mean == pytest.approx(0.5)


def test_a_number_of_the_whole_subject_is_its_own_mean() -> None:
    found = scored([Value("class", None, None, 0.25)], "macro", CATEGORIES)
    assert (found.mean, found.by_category) == (0.25, {})
