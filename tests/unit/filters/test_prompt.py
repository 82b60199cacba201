"""How much of its prompt a picture shows."""

from candidates import candidate, context, verdicts

from imprint.filters.prompt import Prompt

FEATURES = {"good": [1, 0], "bad": [0, 1], "a dog, good": [2, 0], "a dog, bad": [1, 0]}


def test_it_is_the_cosine_with_the_text_without_its_identifier() -> None:
    given = context([], FEATURES)
    pictures = [candidate("good"), candidate("bad")]
    assert verdicts(Prompt(encoder="clip", least=0.5, drop=0), pictures, given) == [(1, True), (0, False)]
    assert verdicts(Prompt(encoder="clip", least=None, drop=0.5), pictures, given) == [(1, True), (0, False)]
    assert Prompt(encoder="clip", least=None, drop=0.1).needs.sides == ("images", "texts")
