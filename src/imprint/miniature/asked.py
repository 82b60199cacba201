"""What a prompt asks a picture to show: the grammar of captions, read backwards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from imprint.miniature import wording

T = TypeVar("T")
SUBJECT = "{}"  # where the subject's own words stand in a prompt, and a caption's in a style's words


class Asked(NamedTuple):
    """`unknown` are words for which this world has no picture; without any, the prompt is of this world."""

    place: str = ""
    attribute: str = ""
    style: str = "drawing"
    view: str = "front"
    unknown: str = ""


def asked(prompt: str) -> Asked:
    """What `prompt`, "a red {} in the jungle", says; places and attributes that it leaves open are empty."""
    style, prompt = _style(_plain(prompt))
    before, _, after = prompt.partition(SUBJECT)
    found: dict[str, str] = {}
    left = [
        *_left_over(before, [("attribute", wording.PROPERTY_WORDS)], found),
        *_left_over(after, _AFTER, found),
    ]
    unknown = [word for word in left if word not in _SAY_NOTHING]
    return Asked(
        place=found.get("place", ""),
        attribute=found.get("attribute", ""),
        style=style,
        view=found.get("view", "front"),
        unknown=" ".join(unknown),
    )


_AFTER: Sequence[tuple[str, Mapping[str, tuple[str, ...]]]] = (
    ("place", wording.PLACE_WORDS),
    ("attribute", wording.ACCESSORY_WORDS),
    ("view", wording.VIEW_WORDS),
    ("light", wording.LIGHT_WORDS),
)
_SAY_NOTHING = {"a", "an", "the", "and", *wording.FILLERS, *wording.RARE_IDENTIFIERS}


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w{}-]+", " ", text.casefold()).split())


def _style(prompt: str) -> tuple[str, str]:
    """The style, and what is said inside of its words."""
    for frame, style in _longest_first(
        (frame, style) for style, all_of in wording.STYLE_WORDS.items() for frame in all_of
    ):
        before, _, after = frame.casefold().partition(SUBJECT)
        if len(prompt) > len(before) + len(after) and prompt.startswith(before) and prompt.endswith(after):
            return style, prompt[len(before) : len(prompt) - len(after)]
    return "drawing", prompt


def _left_over(
    text: str, kinds: Sequence[tuple[str, Mapping[str, tuple[str, ...]]]], found: dict[str, str]
) -> Iterator[str]:
    """Notes in `found` what the phrases of these kinds say, and gives the words that are in none of them."""
    phrases = (
        (words, (kind, name)) for kind, said in kinds for name, all_of in said.items() for words in all_of if words
    )
    for words, (kind, name) in _longest_first(phrases):
        rest = re.sub(rf"(?<![\w-]){re.escape(words.casefold())}(?![\w-])", " ", text, count=1)
        if rest != text and found.setdefault(kind, name) == name:
            text = rest
    yield from text.split()


def _longest_first(phrases: Iterable[tuple[str, T]]) -> list[tuple[str, T]]:
    return sorted(phrases, key=lambda phrase: -len(phrase[0]))
