"""What is said: balanced, and the same of the first pictures however many there are."""

from collections import Counter
from pathlib import Path

import pytest

from imprint.synthesis.prompts import Grammar, PromptList, named_places, turn

PLACES = ["in the jungle", "on the beach", "in the snow"]
GRAMMAR = Grammar(
    template="a {property} {identifier} {noun} {accessory} {place}",
    places=PLACES,
    properties=["", "red"],
    accessories=["", "in a hat"],
)


def test_a_grammar_gives_every_entry_as_often_as_any_other_and_keeps_its_beginning() -> None:
    many = GRAMMAR.of("live", "rex", 60)
    assert Counter(said.place for said in many) == dict.fromkeys(PLACES, 20)
    assert sum("red" in said.template for said in many) == 30
    assert sum("in a hat" in said.template for said in many) == 30
    assert len({said.template for said in many}) == 12
    assert many[:7] == GRAMMAR.of("live", "rex", 7)
    assert many != GRAMMAR.of("live", "tom", 60)


def test_an_empty_entry_leaves_no_gap_and_objects_wear_nothing() -> None:
    templates = {said.template for said in GRAMMAR.of("object", "can", 30)}
    assert "a {identifier} {noun} in the jungle" in templates
    assert not [template for template in templates if "hat" in template or "  " in template]


def test_repetitions_of_a_prompt_are_counted() -> None:
    said = PromptList(prompts=["a {noun} on the beach", "a {noun}"]).of("object", "can", 5)
    assert [(one.number, one.k, one.place) for one in said] == [
        (0, 0, "on the beach"),
        (1, 0, ""),
        (0, 1, "on the beach"),
        (1, 1, ""),
        (0, 2, "on the beach"),
    ]


def test_a_list_may_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "prompts.txt"
    file.write_text("a {noun}\n\na red {noun}\n")
    assert PromptList(prompts=str(file)).prompts == ["a {noun}", "a red {noun}"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"prompts": []}, "there is no prompt"),
        ({"prompts": ["a {dog}"]}, r"\{dog\} is unknown"),
    ],
)
def test_lists_that_cannot_be_used_are_refused(wrong: dict[str, list[str]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PromptList(**wrong)


def test_a_grammar_says_all_that_is_wrong_with_it() -> None:
    with pytest.raises(ValueError, match="template") as raised:
        Grammar(template="a {colour} {noun}", places=[], properties=["{red}"], accessories=[""])
    for part in ("{colour} is unknown", "places=[]: give at least one", "{red} is unknown"):
        assert part in str(raised.value)


def test_all_have_their_turn_before_one_has_its_second() -> None:
    laps = [[turn(4, 4 * lap + index, "rex") for index in range(4)] for lap in range(5)]
    assert all(sorted(lap) == [0, 1, 2, 3] for lap in laps)
    assert len(set(map(tuple, laps))) > 1


def test_prompts_that_name_places_of_the_test_are_found() -> None:
    templates = ["a {noun} on the beach", "a {noun} in the snow", "a {noun}"]
    assert list(named_places(templates, ["A photo of a dog On The Beach at night"])) == templates[:1]
