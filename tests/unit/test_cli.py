"""What is typed, as Hydra takes it: options first, places and sentences without quotes."""

import pytest

from imprint.command_line import as_overrides


@pytest.mark.parametrize(
    ("verb", "typed", "given"),
    [
        ("train", "-m seed=0,1", ["-m", "seed=0,1"]),
        ("train", "seed=0 --config-dir mine a=b --cfg job", ["--config-dir", "mine", "--cfg", "job", "seed=0", "a=b"]),
        ("report", "outputs", ["folder='outputs'"]),
        ("generate", "one steps=2 two", ["run=['one','two']", "steps=2"]),
        ("evaluate", "~/runs -cd mine ~evaluation.rows", ["-cd", "mine", "run='~/runs'", "~evaluation.rows"]),
        ("trace", "a.png one seeds=9 two", ["picture='a.png'", "run=['one','two']", "seeds=9"]),
        ("trace", "a.png", ["picture='a.png'"]),
        ("train", "dataset.rights=mine,(c)", ["dataset.rights='mine,(c)'"]),
        ("generate", "one prompt=a,b", ["run='one'", "prompt='a,b'"]),
    ],
)
def test_options_come_first_and_places_have_their_key(verb: str, typed: str, given: list[str]) -> None:
    assert as_overrides(verb, typed.split()) == given
