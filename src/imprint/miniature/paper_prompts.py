"""The DreamBooth paper's prompts for this world's subjects, in the form of the data set's prompts_and_classes.txt."""

from __future__ import annotations

from collections.abc import Iterable

from imprint.miniature.properties import PROPERTIES
from imprint.miniature.scene import Subject
from imprint.miniature.wording import ACCESSORY_WORDS, PLACE_WORDS

# Live subjects are asked for in the first ten places, and with accessories in place of the others.
LIVE_PLACES = 10
_PROPERTIES = [f"a {words} {{0}} {{1}}" for words in PROPERTIES]
_PLACES = [f"a {{0}} {{1}} {words[0]}" for words in PLACE_WORDS.values()]
_ACCESSORIES = [f"a {{0}} {{1}} {words[0]}" for words in ACCESSORY_WORDS.values()]
OBJECT_PROMPTS = (*_PLACES, *_PROPERTIES)
LIVE_PROMPTS = (*_PLACES[:LIVE_PLACES], *_ACCESSORIES, *_PROPERTIES)


def classes_and_prompts(subjects: Iterable[Subject]) -> str:
    """A table of subjects and classes, then the two lists; {0} is the identifier, {1} the class."""
    table = [f"{who.name},{who.noun}" for who in subjects]
    lists = (("Object Prompts", OBJECT_PROMPTS), ("Live Subject Prompts", LIVE_PROMPTS))
    blocks = [
        "\n".join([title, "prompt_list = [", *(f"'{text}'.format(unique_token, class_token)," for text in texts), "]"])
        for title, texts in lists
    ]
    return "\n\n".join(["Classes", "\n".join(["subject_name,class", *table]), "Prompts", *blocks]) + "\n"
