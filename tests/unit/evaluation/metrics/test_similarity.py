"""CLIP-I, DINO, PRES, memorisation and overfit, by hand."""

import math
from typing import Any

import pytest
from fake_evidence import FakeFeatures, evidence, photo, shot, shots

from imprint.errors import UserError
from imprint.evaluation.metrics.similarity import ClipI, Dino, Memorisation, Overfit, Pres
from imprint.evaluation.records import Value

EAST, NORTH, BETWEEN = (2.0, 0.0), (0.0, 5.0), (3.0, 3.0)
HALF = math.sqrt(0.5)  # the cosine of BETWEEN with either
FEATURES = FakeFeatures({"e": EAST, "n": NORTH, "b": BETWEEN, "other e": EAST, "zero": (0.0, 0.0)})


def fidelity(kind: Any = ClipI, **settings: Any) -> Any:
    return kind(**{"encoder": "clip", "references": "all", "self_pairs": "exclude", **settings})


def numbers(values: list[Value]) -> list[float]:
    return [value.value for value in values]


@pytest.mark.parametrize("kind", [ClipI, Dino])
def test_it_is_the_mean_cosine_with_the_references_one_number_a_picture(kind: Any) -> None:
    given = evidence(
        FEATURES, shots={"subject": [shot("e", 0, 1), shot("b", 3, 0)]}, photos=[photo("n"), photo("other e")]
    )
    values = fidelity(kind).measure(given)
    assert [value[:3] for value in values] == [("subject", 0, 1), ("subject", 3, 0)]
    assert numbers(values) == pytest.approx([(0 + 1) / 2, HALF])


def test_where_pairs_count_alike_each_pair_has_a_number_and_the_nearest_photo_still_one() -> None:
    given = evidence(
        FEATURES,
        averaging="pairs",
        shots={"subject": shots("e", "b")},
        photos=[photo("e"), photo("n"), photo("other e")],
    )
    values = fidelity(self_pairs="exclude").measure(given)
    assert [(value.k, round(value.value, 6)) for value in values] == [
        (0, 0.0),
        (0, 1.0),  # "e" is not compared with itself
        *((1, round(cosine, 6)) for cosine in (HALF, HALF, HALF)),
    ]
    assert numbers(fidelity(Memorisation).measure(given)) == pytest.approx([1.0, HALF])


@pytest.mark.parametrize(
    ("references", "expected"), [("all", (1 + HALF + 0) / 3), ("first", 0.0), ("trained_on", HALF / 2), ("held_out", 1)]
)
def test_only_the_chosen_references_count(references: str, expected: float) -> None:
    photos = [photo("n"), photo("b"), photo("other e", trained_on=False)]
    given = evidence(FEATURES, shots={"subject": shots("e")}, photos=photos)
    assert numbers(fidelity(references=references).measure(given)) == pytest.approx([expected])


def test_a_photo_judged_is_compared_with_itself_only_if_asked() -> None:
    given = evidence(FEATURES, shots={"subject": shots("e", "b")}, photos=[photo("e"), photo("n")])
    assert numbers(fidelity(self_pairs="exclude").measure(given)) == pytest.approx([0.0, HALF])
    assert numbers(fidelity(self_pairs="include").measure(given)) == pytest.approx([0.5, HALF])


def test_an_equal_picture_of_other_content_is_no_self_pair() -> None:
    given = evidence(FEATURES, shots={"subject": shots("e")}, photos=[photo("other e")])
    assert numbers(fidelity(self_pairs="exclude").measure(given)) == pytest.approx([1.0])


@pytest.mark.parametrize(
    ("settings", "parts", "remedy"),
    [
        ({}, {"shots": {"subject": []}, "photos": [photo("e")]}, "no usable picture of the subject prompts"),
        ({}, {"shots": {"subject": shots("e")}}, "Give photos"),
        ({"references": "held_out"}, {"shots": {"subject": shots("e")}, "photos": [photo("b")]}, "dataset.holdout=1"),
        ({}, {"shots": {"subject": shots("e")}, "photos": [photo("e")]}, "self_pairs=include"),
        ({}, {"shots": {"subject": shots("zero")}, "photos": [photo("e")]}, "nothing but zeros"),
    ],
)
def test_what_cannot_be_measured_is_refused_with_the_subject_and_a_remedy(
    settings: dict[str, Any], parts: dict[str, Any], remedy: str
) -> None:
    with pytest.raises(UserError, match=remedy) as refusal:
        fidelity(**settings).measure(evidence(FEATURES, **parts))
    assert "CLIP-I of rex" in str(refusal.value)


def test_what_it_needs_is_known_beforehand() -> None:
    assert fidelity(references="held_out").needs.held_out == 1
    assert fidelity(references="trained_on").needs.trained_on == 1
    assert fidelity(encoder="other").needs.encoders == ("other",)
    assert fidelity(Pres).needs.sets == ("class",)


def test_pres_judges_the_class_pictures() -> None:
    given = evidence(FEATURES, shots={"class": shots("b", set="class"), "subject": shots("e")}, photos=[photo("e")])
    values = fidelity(Pres).measure(given)
    assert values == [Value("class", 0, 0, pytest.approx(HALF))]


def test_memorisation_is_the_cosine_with_the_nearest_photo() -> None:
    photos = [photo("n"), photo("other e"), photo("b", trained_on=False)]
    given = evidence(FEATURES, shots={"subject": shots("e", "b")}, photos=photos)
    metric = fidelity(Memorisation, references="trained_on")
    assert numbers(metric.measure(given)) == pytest.approx([1.0, HALF])


def test_overfit_is_what_photos_trained_on_are_nearer_than_photos_held_out() -> None:
    photos = [photo("other e"), photo("b"), photo("n", trained_on=False)]
    given = evidence(FEATURES, shots={"subject": shots("e", "b")}, photos=photos)
    values = Overfit(encoder="dino", self_pairs="include").measure(given)
    assert numbers(values) == pytest.approx([(1 + HALF) / 2 - 0, (HALF + 1) / 2 - HALF])


def test_overfit_without_held_out_photos_is_refused() -> None:
    given = evidence(FEATURES, shots={"subject": shots("e")}, photos=[photo("b")])
    with pytest.raises(UserError, match="rex: none of its 1 photos is a reference .*dataset.holdout"):
        Overfit(encoder="dino", self_pairs="exclude").measure(given)
