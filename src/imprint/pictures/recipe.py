"""What a picture is drawn from, and the names that follow from it."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from imprint.types import Sampler

WORDS = 40  # letters of a prompt in a file's name


class Recipe(NamedTuple):
    """A picture of a store: its file there, and what it is drawn from besides what all pictures of the store are.

    `seed` alone gives its noise. `facts` are what else the store's index says of it: not what it is told apart by.
    """

    file: str
    prompt: str
    seed: int
    sampler: Sampler
    size: tuple[int, int]  # height, width
    facts: Mapping[str, Any]


def key_of(drawn_from: Mapping[str, Any], letters: int) -> str:
    """What stands for all of it in a name."""
    text = json.dumps(drawn_from, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:letters]


def file_name(prompt: str, seed: int, drawn_from: Mapping[str, Any]) -> str:
    """For a folder that holds pictures of all kinds: other ways of drawing never have the same name."""
    words = "-".join(re.findall("[a-z0-9]+", prompt.lower()))[:WORDS].strip("-")
    key = key_of({**drawn_from, "prompt": prompt, "seed": seed}, 10)
    return "-".join(filter(None, (words, f"s{seed}", key))) + ".png"
