"""What a run teaches: the words that each subject has, and the pictures that it is learned from."""

import logging
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple, TypeVar

from imprint.data.captions import with_prefix
from imprint.data.dataset import AUTO, Dataset, JointDataset
from imprint.data.pictures import PictureSet
from imprint.errors import ConfigError, Problem, UserError
from imprint.methods.base import Method
from imprint.models.base import ModelInfo, ModelSource
from imprint.planning.naming import Candidates, name_class
from imprint.types import Concept

log = logging.getLogger(__name__)

T = TypeVar("T")
OWN_KEY = re.compile(r"\bdataset\.(?=\w+=)")  # before a setting and its value, in what a data set says


class Subject(NamedTuple):
    """`captions` of the pictures still have places for the words."""

    concept: Concept
    dataset: Dataset
    pictures: PictureSet


def find_subjects(
    dataset: Dataset | JointDataset, concepts: tuple[Concept, ...] | None, problems: list[Problem | str]
) -> tuple[Subject, ...] | None:
    """None where anything is wrong; it is then among the problems."""
    opened = {name: told(problems, name, member.open) for name, member in dataset.members.items()}
    if concepts is None or not all(opened.values()):
        return None
    found = []
    for (name, member), concept in zip(dataset.members.items(), concepts, strict=True):
        pictures = opened[name]
        assert pictures is not None
        found.append(Subject(concept, member, _named(_captioned(pictures, member, concept), name)))
    return tuple(found)


def find_nouns(
    dataset: Dataset | JointDataset, model: ModelSource | None, problems: list[Problem | str]
) -> dict[str, Candidates] | None:
    """What the pictures of each subject show, likeliest first. None where something is wrong."""
    found: dict[str, Candidates | None] = {}
    for name, member in dataset.members.items():
        if member.class_noun != AUTO:
            found[name] = {member.class_noun: 1.0}
            continue
        pictures = told([], name, member.open)  # what is wrong with them is told by `find_subjects`
        if model is not None and pictures is not None:
            found[name] = told(problems, name, partial(name_class, member, pictures, model))
        else:
            found[name] = None
    return {name: candidates for name, candidates in found.items() if candidates} if all(found.values()) else None


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
            word = told(problems, name, partial(method.choose_identifier, facts, noun, taken))
        if word is not None:
            taken.add(word)
            found.append(Concept(word, noun, name))
    return tuple(found) if len(problems) == problems_before else None


def told(problems: list[Problem | str], name: str, ask: Callable[[], T]) -> T | None:
    """What `ask` returns, or None, with its complaint among the problems, by the keys of the subject `name`."""
    try:
        return ask()
    except ConfigError as error:
        problems.extend(_of_member(problem, name) for problem in error.problems)
    except UserError as error:
        problems.append(_of_member(str(error), name))
    return None


def _of_member(problem: Problem | str, name: str) -> Problem | str:
    return OWN_KEY.sub(f"dataset.subjects.{name}.", str(problem)) if name else problem


def _equal_words(members: Mapping[str, Dataset]) -> Iterator[Problem]:
    """Tokenizers do not tell capitals, so neither does this."""
    owners: dict[str, str] = {}
    for name, member in members.items():
        word = member.identifier.casefold()
        if word != AUTO and owners.setdefault(word, name) != name:
            remedy = f"subject {owners[word]!r} is called that already. Give each its own word, or auto."
            yield Problem(f"dataset.subjects.{name}.identifier", member.identifier, remedy)


def _named(pictures: PictureSet, name: str) -> PictureSet:
    return pictures.under(name) if name else pictures


def _captioned(pictures: PictureSet, dataset: Dataset, concept: Concept) -> PictureSet:
    """Own captions that do not say the subject's word teach it nothing: they are told of, or given the word."""
    if dataset.captions == "prefix":
        return pictures.captioned(lambda caption: with_prefix(caption, concept))
    silent = [picture.key for picture in pictures.pictures if picture.caption and not concept.is_in(picture.caption)]
    if silent:
        log.warning(
            "The word %r is not in the captions of %s: they teach it nothing. Write {identifier} in them, or set "
            "captions=prefix to put it before them.",
            concept.identifier,
            ", ".join(silent),
        )
    return pictures
