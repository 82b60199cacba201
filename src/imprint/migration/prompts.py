"""Which words of an instance prompt name the subject, and which its class."""

import re
from typing import NamedTuple

# What stands before the subject in nearly every prompt that is written by hand.
BEGINNINGS = re.compile(
    r"(?P<before>(?:an? |the )?"
    r"(?:(?:photo|picture|image|painting|drawing|portrait|rendering|close-up) of )?(?:an? |the )?)"
    r"(?P<identifier>\S+)(?: (?P<noun>\S.*))?",
    re.IGNORECASE,
)


class SubjectWords(NamedTuple):
    identifier: str  # empty, as the noun, where it is not clear
    noun: str
    template: str


def words_of(instance: str, of_class: str | None) -> SubjectWords:
    """By the class prompt, which is the instance prompt without the word, or by the usual beginnings."""
    found = _by_class(instance, of_class) if of_class else None
    return found or _by_beginning(instance)


def _by_class(instance: str, of_class: str) -> SubjectWords | None:
    """The words that only the instance prompt has are the identifier; the class prompt goes on with the noun."""
    own, others = instance.split(), of_class.split()
    same = 0
    while same < min(len(own), len(others)) and own[same] == others[same]:
        same += 1
    added = len(own) - len(others)
    if added < 1 or own[same + added :] != others[same:]:
        return None
    identifier, noun = " ".join(own[same : same + added]), " ".join(others[same:])
    if not noun:
        return None
    return SubjectWords(identifier, noun, " ".join([*own[:same], "{identifier}", "{noun}"]))


def _by_beginning(instance: str) -> SubjectWords:
    found = BEGINNINGS.fullmatch(instance.strip())
    if not found:
        return SubjectWords("", "", instance)
    noun = found["noun"] or ""
    return SubjectWords(found["identifier"], noun, f"{found['before']}{{identifier}}{' {noun}' if noun else ''}")
