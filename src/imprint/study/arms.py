"""What a learner is given: photos, and perhaps other pictures."""

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Annotated

from annotated_types import Ge, Lt, MinLen

from imprint.errors import Problem
from imprint.kinds import of_kind
from imprint.study.augmentation import Augmentation
from imprint.study.examples import Example, Material

SHOWN = 5  # names in a message


@of_kind("arm/pictures")
class Arm:
    """
    sources       which pictures there are beside the photos, by the `source` of their rows
    share         how often one of them takes a photo's place, in every class alike; 0 where there are none
    augmentation  what is done to all of them; null: nothing
    """

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
        self.most: int | None = None  # pictures of each subject; None: all

    def limited(self, most: int) -> "Arm":
        arm = copy(self)
        arm.most = most
        return arm

    def pictures(self, material: Material, shots: int) -> dict[str, list[Example]]:
        """By subject, those that were made of the arm's own photos and of no other."""
        photos = keys_of(material.first(shots))
        found: dict[str, list[Example]] = {subject: [] for subject in material.subjects}
        for one in material.pictures:
            if one.source in self.sources and one.is_made_of(photos):
                found[one.subject].append(one)
        if self.most is not None:  # of more, the first are those of fewer; by content, for rows are ordered by prompts
            return {subject: sorted(own, key=lambda one: one.content)[: self.most] for subject, own in found.items()}
        return found


def with_numbers(arms: Mapping[str, Arm], images: Sequence[int]) -> dict[str, Arm]:
    """Beside each arm with pictures, the same with so many of each subject."""
    found: dict[str, Arm] = {}
    for name, arm in arms.items():
        found[name] = arm
        if arm.sources:
            found |= {f"{name} {most}": arm.limited(most) for most in sorted(set(images))}
    return found


def family_of(name: str, arm: Arm) -> str:
    """The name of the arm with all pictures."""
    return name if arm.most is None else name.removesuffix(f" {arm.most}")


def keys_of(photos: Mapping[str, Sequence[Example]]) -> dict[str, frozenset[str]]:
    return {subject: frozenset(photo.key for photo in own) for subject, own in photos.items()}


def problems(arms: Mapping[str, Arm], material: Material, shots: Sequence[int]) -> Iterator[Problem | str]:
    """Classes without pictures, of all arms."""
    for name, arm in arms.items():
        if not arm.sources:
            continue
        for few in shots:
            pictures = arm.pictures(material, few)
            empty = [subject for subject, own in pictures.items() if not own]
            if empty and arm.most is None:
                yield _empty(f"arms.{name}, shots={few}", empty, arm.sources, material, few)
            short = [f"{subject} {len(own)}" for subject, own in pictures.items() if 0 < len(own) < (arm.most or 0)]
            if short:
                more = f" and {len(short) - SHOWN} more" if len(short) > SHOWN else ""
                yield (
                    f"images={arm.most}: with shots={few}, arms.{family_of(name, arm)} has fewer pictures of "
                    f"{', '.join(short[:SHOWN])}{more}. Give a smaller number, or more pictures."
                )


def _empty(where: str, subjects: Sequence[str], sources: Sequence[str], material: Material, shots: int) -> str:
    more = f" and {len(subjects) - SHOWN} more" if len(subjects) > SHOWN else ""
    there = ", ".join(sorted({one.source for one in material.pictures})) or "nobody"
    photos = f"the first {shots} photo{'s' * (shots != 1)}"
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
