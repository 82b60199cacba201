import pytest

from imprint.methods.dreambooth import DreamBooth
from imprint.templates import placeholders, prompt_fault, template_fault
from imprint.types import Concept, prompts_of


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
        DreamBooth(roles=["denoiser"], layers="all", lr=1e-5, text_lr=1e-5, by_role=None, templates=["a {idetifier}"])


def test_a_users_caption_may_hold_any_brace() -> None:
    assert Concept("sks", "dog").fill_caption("{identifier} {noun} {on} {a") == "sks dog {on} {a"


def test_a_prompt_is_for_each_subject_unless_it_says_which() -> None:
    concepts = [Concept("sks", "dog", "a"), Concept("ktn", "dog", "b")]
    assert prompts_of("a {identifier} {noun}", concepts) == ["a sks dog", "a ktn dog"]
    assert prompts_of("a {noun}", concepts) == ["a dog"]
    assert prompts_of("{b.identifier} and {a.identifier}", concepts) == ["ktn and sks"]
    assert prompts_of("a {identifier}", [Concept("sks", "dog")]) == ["a sks"]


def test_places_of_subjects_are_known_only_by_their_names() -> None:
    assert prompt_fault("{a.identifier} {b.noun}") is None
    assert prompt_fault("{a.name}") is not None
    assert template_fault("{b.noun}", placeholders(["a", "b"])) is None
    assert template_fault("{c.noun}", placeholders(["a", "b"])) is not None
    assert template_fault("{a.noun}", placeholders([""])) is not None
