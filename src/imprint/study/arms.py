"""What a learner is given: photos, and perhaps other pictures."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, NamedTuple

from annotated_types import Ge, Lt, MinLen

from imprint.errors import ConfigError, Problem
from imprint.kinds import of_kind
from imprint.study.augmentation import Augmentation
from imprint.study.examples import Example, Material
from imprint.suggestions import nearest

SHOWN = 5  # names in a message


@of_kind("arm/pictures")
class Arm:
    """
    sources       which pictures there are beside the photos, by the `source` of their rows
    share         how often one of them takes a photo's place, in every class alike; 0 where there are none
    augmentation  what is done to all of them; null: nothing

    `count` is how many pictures of each subject there are beside the photos, None: all.
    """

    count: int | None = None

    def __init__(
        self,
        *,
        sources: Sequence[Annotated[str, MinLen(1)]],
        share: Annotated[float, Ge(0), Lt(1)],
        augmentation: Augmentation | None,
    ) -> None:
        if bool(sources) != bool(share):
            raise ValueError("share: give one above 0 with sources, and 0 without")
        self.sources = sources
        self.share = share
        self.augmentation = augmentation

    def pictures(self, material: Material, shots: int) -> dict[str, list[Example]]:
        """By subject, those that were made of the arm's own photos and of no other."""
        photos = keys_of(material.first(shots))
        found: dict[str, list[Example]] = {subject: [] for subject in material.subjects}
        for one in material.pictures:
            if one.source in self.sources and one.only_for in (None, shots) and one.is_made_of(photos):
                found[one.subject].append(one)
        return {subject: own[: self.count] for subject, own in found.items()}

    def counted(self, count: int) -> "Arm":
        """The same with so many pictures of each subject, the first ones: fewer are some of more."""
        arm = copy.copy(self)
        arm.count = count
        return arm

    def taking(self, source: str) -> "Arm":
        """The same with the pictures of another source, too."""
        arm = copy.copy(self)
        arm.sources = [*self.sources, source]
        return arm


def keys_of(photos: Mapping[str, Sequence[Example]]) -> dict[str, frozenset[str]]:
    return {subject: frozenset(photo.key for photo in own) for subject, own in photos.items()}


class Member(NamedTuple):
    """What an arm of a study is one of: an arm of the configuration, and how many pictures it has; None: all."""

    of: str
    pictures: int | None


def with_counts(
    arms: Mapping[str, Arm], counts: Mapping[str, Sequence[int]]
) -> tuple[dict[str, Arm], dict[str, Member]]:
    """The arms, each followed by those that have so many of its pictures. Raises ConfigError for what is none."""
    problems: list[Problem | str] = []
    found: dict[str, Arm] = {}
    members: dict[str, Member] = {}
    for name in counts:
        if name not in arms:
            problems.append(Problem(f"counts.{name}", list(counts[name]), nearest(name, arms)))
        elif not arms[name].sources:
            remedy = "this arm has photos alone, and no pictures to count. Leave it out."
            problems.append(Problem(f"counts.{name}", list(counts[name]), remedy))
    for name, arm in arms.items():
        found[name], members[name] = arm, Member(name, None)
        for count in dict.fromkeys(counts.get(name, ())):
            own = f"{name}-{count}"
            if own in arms:
                problems.append(Problem(f"counts.{name}", count, f"there is an arm {own} already. Rename that."))
            found[own], members[own] = arm.counted(count), Member(name, count)
    if problems:
        raise ConfigError(problems)
    return found, members


def problems(arms: Mapping[str, Arm], material: Material, shots: Sequence[int]) -> Iterator[Problem | str]:
    """Classes without pictures, or with fewer than are counted, of all arms."""
    for name, arm in arms.items():
        if not arm.sources:
            continue
        for few in shots:
            pictures = arm.pictures(material, few)
            empty = [subject for subject, own in pictures.items() if not own]
            if empty and arm.count is None:
                yield _empty(f"arms.{name}, shots={few}", empty, arm.sources, material, few)
            short = [f"{subject} {len(own)}" for subject, own in pictures.items() if 0 < len(own) < (arm.count or 0)]
            if short:
                more = f" and {len(short) - SHOWN} more" if len(short) > SHOWN else ""
                yield (
                    f"counts, {name}, shots={few}: there are fewer pictures of these subjects: "
                    f"{', '.join(short[:SHOWN])}{more}. Count fewer, or draw more (imprint synthesise ... images=N)."
                )


def _empty(where: str, subjects: Sequence[str], sources: Sequence[str], material: Material, shots: int) -> str:
    more = f" and {len(subjects) - SHOWN} more" if len(subjects) > SHOWN else ""
    there = ", ".join(sorted({one.source for one in material.pictures})) or "nobody"
    photos = "the first photo" if shots == 1 else f"the first {shots} photos"
    return (
        f"{where}: there is no picture of {', '.join(subjects[:SHOWN])}{more} by {' or '.join(sources)} that was made "
        f"of {photos} alone (there are pictures by {there}). Give a data set of such "
        f"pictures (imprint study data/pets photos/), their folder (pictures={{{sources[-1]}:FOLDER}}), or leave the "
        "arm or the number of shots out."
    )


def unused(arms: Mapping[str, Arm], material: Material) -> Iterator[str]:
    used = {source for arm in arms.values() for source in arm.sources}
    if left := sorted({one.source for one in material.pictures} - used):
        yield f"No arm takes the pictures by {', '.join(left)}: name them, arms.NAME.sources=[...], or another arm."
