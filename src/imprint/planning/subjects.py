"""The subjects of a run: the words of each, and the pictures that it is learned from."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from imprint.data.captions import with_prefix
from imprint.data.dataset import AUTO, Dataset, JointDataset
from imprint.data.pictures import PictureSet
from imprint.errors import ConfigError, Problem, UserError
from imprint.methods.base import Method
from imprint.models.facts import ModelInfo
from imprint.types import Concept

log = logging.getLogger(__name__)

T = TypeVar("T")
Candidates = Mapping[str, float]  # class nouns -> probability, the most probable first
OWN_KEY = re.compile(r"\bdataset\.(?=\w+=)")  # before a setting and its value, in a data set's messages


class Subject(NamedTuple):
    """Its pictures' captions still have placeholders for the words."""

    concept: Concept
    dataset: Dataset
    pictures: PictureSet


def photo_hashes(subjects: Sequence[Subject]) -> list[str]:
    """For a manifest: the content of each picture, once."""
    return list(dict.fromkeys(picture.content for subject in subjects for picture in subject.pictures.pictures))


def find_subjects(
    dataset: Dataset | JointDataset, concepts: tuple[Concept, ...] | None, problems: list[Problem | str]
) -> tuple[Subject, ...] | None:
    """None where anything is wrong; that is added to the problems."""
    opened = {name: collect(problems, name, member.open) for name, member in dataset.members.items()}
    if concepts is None or not all(opened.values()):
        return None
    found = []
    for (name, member), concept in zip(dataset.members.items(), concepts, strict=True):
        pictures = opened[name]
        assert pictures is not None
        found.append(Subject(concept, member, _named(_captioned(pictures, member, concept), name)))
    return tuple(found)


def warn_of_templates(method: Method, subjects: Sequence[Subject]) -> None:
    """Templates without the subject's word do not teach it to the pictures that have no caption of their own."""
    without = [template for template in method.templates if "{identifier}" not in template]
    if without and any(picture.caption is None for subject in subjects for picture in subject.pictures.pictures):
        words = ", ".join(repr(subject.concept.identifier) for subject in subjects)
        log.warning(
            "method.templates has captions without {identifier}: %s. They teach %s nothing.",
            ", ".join(map(repr, without)),
            words,
        )


def find_concepts(
    dataset: Dataset | JointDataset,
    nouns: Mapping[str, Candidates] | None,
    facts: ModelInfo | None,
    method: Method | None,
    problems: list[Problem | str],
) -> tuple[Concept, ...] | None:
    """The words of each subject. None where something is wrong, or cannot be known without model and method."""
    members = dataset.members
    if nouns is None:
        return None
    taken = {member.identifier for member in members.values() if member.identifier != AUTO}
    problems_before = len(problems)
    problems.extend(_equal_words(members))
    found = []
    for name, member in members.items():
        noun = next(iter(nouns[name]))
        word: str | None = member.identifier
        if word == AUTO:
            if facts is None or method is None:
                return None
            word = collect(problems, name, partial(method.choose_identifier, facts, noun, taken))
        if word is not None:
            taken.add(word)
            found.append(Concept(word, noun, name))
    return tuple(found) if len(problems) == problems_before else None


def collect(problems: list[Problem | str], name: str, call: Callable[[], T]) -> T | None:
    """What `call` returns, or None where it raises; its errors are then added to the problems, with the keys of the
    subject `name`."""
    try:
        return call()
    except ConfigError as error:
        problems.extend(_of_member(problem, name) for problem in error.problems)
    except UserError as error:
        problems.append(_of_member(str(error), name))
    return None


def _of_member(problem: Problem | str, name: str) -> Problem | str:
    return OWN_KEY.sub(f"dataset.subjects.{name}.", str(problem)) if name else problem


def _equal_words(members: Mapping[str, Dataset]) -> Iterator[Problem]:
    """Regardless of case, as tokenizers are."""
    owners: dict[str, str] = {}
    for name, member in members.items():
        word = member.identifier.casefold()
        if word != AUTO and owners.setdefault(word, name) != name:
            remedy = f"subject {owners[word]!r} is called that already. Give each its own word, or auto."
            yield Problem(f"dataset.subjects.{name}.identifier", member.identifier, remedy)


def _named(pictures: PictureSet, name: str) -> PictureSet:
    return pictures.under(name) if name else pictures


def _captioned(pictures: PictureSet, dataset: Dataset, concept: Concept) -> PictureSet:
    """Captions of the user's without the subject's word do not teach it: a warning names them, or they are given it."""
    if dataset.captions == "prefix":
        return pictures.captioned(lambda caption: with_prefix(caption, concept))
    without = [picture.key for picture in pictures.pictures if picture.caption and not concept.is_in(picture.caption)]
    if without:
        log.warning(
            "The word %r is not in the captions of %s: they teach it nothing. Write {identifier} in them, or set "
            "captions=prefix to put it before them.",
            concept.identifier,
            ", ".join(without),
        )
    return pictures
