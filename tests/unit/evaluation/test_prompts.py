"""Which pictures a set of prompts asks for."""

from typing import Any

import pytest
from small_runs import composed_profile

from imprint.evaluation.prompts import PromptSet, without_identifier
from imprint.evaluation.records import PictureRequest


def prompt_set(**settings: Any) -> PromptSet:
    usual: dict[str, Any] = {
        "prompts": {"any": {"place": ["a {identifier} {noun} at home", "a {identifier} {noun} in town"]}},
        "images": 2,
        "numbers": None,
        "categories": None,
    }
    return PromptSet(**{**usual, **settings})


def test_a_pictures_seed_is_fixed_by_subject_prompt_and_number_alone() -> None:
    one = PictureRequest("subject", 4, "a {noun}", "place", 1)
    assert one.seed("rex") == one._replace(set="class", number=9, category="property").seed("rex")
    assert one.seed("rex") == 5292258650852777365, "pictures that were drawn before are found"
    others = [one.seed("pip"), one._replace(k=2).seed("rex"), one._replace(template="the {noun}").seed("rex")]
    assert len({one.seed("rex"), *others}) == 4


def test_the_papers_lists_are_whole() -> None:
    lists = composed_profile("dreambooth_paper").pictures["subject"]
    of_objects, of_live = lists.of("object"), lists.of("live")
    assert [len(of_objects), len(of_live)] == [25, 25]
    assert len({prompt.template for prompt in of_objects} & {prompt.template for prompt in of_live}) == 15
    counts = [[prompt.category for prompt in prompts].count("property") for prompts in (of_objects, of_live)]
    assert counts == [5, 5]
    assert all("{identifier} {noun}" in prompt.template for prompt in [*of_objects, *of_live])


def test_every_prompt_is_asked_for_as_often_as_there_are_pictures_of_it() -> None:
    asked = prompt_set(images=3).requests("subject", "live", "dog")
    assert [(one.number, one.k) for one in asked] == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    assert {one.set for one in asked} == {"subject"}


def test_what_is_left_of_a_restricted_list_keeps_its_number() -> None:
    [only] = prompt_set(numbers=[1], images=1).requests("subject", "live", "dog")
    assert (only.number, only.template) == (1, "a {identifier} {noun} in town")


def test_a_restriction_by_category() -> None:
    prompts = {"any": {"place": ["{noun} a"], "property": ["red {noun}", "wet {noun}"]}}
    asked = prompt_set(prompts=prompts, categories=["property"], images=1).requests("subject", "object", "dog")
    assert [one.number for one in asked] == [1, 2]


def test_a_restriction_changes_what_a_set_is() -> None:
    whole = prompt_set().settings()
    for restricted in (prompt_set(numbers=[0]), prompt_set(images=1), prompt_set(categories=["place"], numbers=[1])):
        assert restricted.settings() != whole
    assert prompt_set(categories=["place"]).settings() == whole


@pytest.mark.parametrize(("noun", "left"), [("dog", 1), ("vase", 2), ("stuffed animal", 3), ("", 3)])
def test_prompts_about_other_things_do_not_name_the_class(noun: str, left: int) -> None:
    others = {"any": {"unrelated": ["a photo of a vase", "two dogs at home", "a dog on the beach"]}}
    chosen = prompt_set(prompts=others, images=1)
    assert len(chosen.requests("unrelated", "live", noun)) == left
    assert len(chosen.left_out("live", noun)) == 3 - left


def test_a_word_that_only_contains_the_noun_is_another_thing() -> None:
    others = {"any": {"unrelated": ["a photo of a catalogue"]}}
    assert prompt_set(prompts=others).left_out("live", "cat") == []


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"prompts": {"any": {"place": ["a {dog}"]}}}, "{dog} is unknown"),
        ({"prompts": {"any": {"place": ["a", "a"]}}}, "only once"),
        ({"prompts": {}}, "Give a list"),
        ({"categories": ["plaec"]}, "did you mean place"),
        ({"numbers": [2]}, "from 0 to 1"),
    ],
)
def test_what_cannot_be_asked_for(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        prompt_set(**settings)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("a {identifier} {noun} at home", "a dog at home"),
        ("a red {identifier} {noun}", "a red dog"),
        ("{identifier}", ""),
    ],
)
def test_a_prompt_without_its_identifier(template: str, said: str) -> None:
    assert without_identifier(template, "dog") == said
