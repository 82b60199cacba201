import pytest

from imprint.methods.dreambooth import DreamBooth
from imprint.templates import template_fault
from imprint.types import Concept


@pytest.mark.parametrize("good", ["a {identifier} {noun}", "no places", "a {{brace}}"])
def test_known_places_are_fine(good: str) -> None:
    assert template_fault(good) is None


@pytest.mark.parametrize("bad", ["a {identifer}", "a {}", "a {noun", "a {noun!r}", "a {noun:>9}"])
def test_other_places_are_named(bad: str) -> None:
    fault = template_fault(bad)
    assert fault
    assert bad in fault


def test_a_method_refuses_them() -> None:
    with pytest.raises(ValueError, match="templates has 'a {idetifier}'"):
        DreamBooth(roles=["denoiser"], lr=1e-5, text_lr=1e-5, templates=["a {idetifier}"])


def test_a_users_caption_may_hold_any_brace() -> None:
    assert Concept("sks", "dog").fill_caption("{identifier} {noun} {on} {a") == "sks dog {on} {a"
