"""What is said of a subject in the pictures of a data set: a list of prompts, or a grammar that makes them.

A larger data set extends a smaller one, so what the first pictures show does not depend on how many there are. Of each
list, all entries have their turn before one has its second, in an order of their own each time.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from imprint import rng
from imprint.data.dataset import Kind
from imprint.kinds import of_kind
from imprint.requests import prompts_in
from imprint.templates import template_fault

NOUN = "{noun}"  # behind it a prompt says where the subject is, and what it wears


class Said(NamedTuple):
    """What one picture is to show: prompt number `number`, for the `k`-th time."""

    number: int
    k: int
    template: str
    place: str  # what of it says where the subject is


class Prompts(ABC):
    """What a `prompts` configuration constructs."""

    @abstractmethod
    def fewest(self, kind: Kind) -> int:
        """Pictures of a subject in which all that may be said is said once."""

    @abstractmethod
    def at(self, kind: Kind, index: int, label: str) -> tuple[str, str]:
        """The prompt of a subject's picture number `index`, and the place in it."""

    def of(self, kind: Kind, label: str, images: int) -> list[Said]:
        numbers: dict[str, int] = {}
        times: dict[str, int] = {}
        found = []
        for index in range(images):
            template, place = self.at(kind, index, label)
            number, k = numbers.setdefault(template, len(numbers)), times.get(template, 0)
            times[template] = k + 1
            found.append(Said(number, k, template, place))
        return found


@of_kind("prompts/list")
class PromptList(Prompts):
    """These, in turn. `prompts` is a list, or a text file with one a line; {identifier} and {noun} are filled."""

    def __init__(self, *, prompts: list[str] | str) -> None:
        self.prompts = prompts_in(prompts, key="prompts") if isinstance(prompts, str) else list(dict.fromkeys(prompts))
        faults = [fault for prompt in self.prompts if (fault := template_fault(prompt))]
        if not self.prompts:
            faults.append('there is no prompt. Give one, as in "a {identifier} {noun} on the beach".')
        if faults:
            raise ValueError("\n".join(f"prompts: {fault}" for fault in faults))

    def fewest(self, kind: Kind) -> int:
        return len(self.prompts)

    def at(self, kind: Kind, index: int, label: str) -> tuple[str, str]:
        template = self.prompts[index % len(self.prompts)]
        return template, template.partition(NOUN)[2].strip(" ,.")


@of_kind("prompts/grammar")
class Grammar(Prompts):
    """`template` has {property}, {accessory} and {place}, each filled from a list; an empty entry says nothing.
    Accessories are for live subjects (people, pets): of others nothing is said there."""

    def __init__(self, *, template: str, places: list[str], properties: list[str], accessories: list[str]) -> None:
        self.template = template
        self.places = places
        self.properties = properties
        self.accessories = accessories
        own = ("identifier", "noun", "place", "property", "accessory")
        faults = [f"template: {fault}"] if (fault := template_fault(template, own)) else []
        texts = [*places, *properties, *accessories]
        faults += [f"{fault} Here none are." for text in texts if (fault := template_fault(text, ()))]
        faults += [
            f"{name}=[]: give at least one, or one that is empty."
            for name in ("places", "properties", "accessories")
            if not getattr(self, name)
        ]
        if faults:
            raise ValueError("\n".join(faults))

    def fewest(self, kind: Kind) -> int:
        return max(len(words) for words in self._lists(kind).values())

    def at(self, kind: Kind, index: int, label: str) -> tuple[str, str]:
        said = {name: words[turn(len(words), index, label, name)] for name, words in self._lists(kind).items()}
        kept = self.template.replace("{identifier}", "{{identifier}}").replace(NOUN, "{{noun}}")
        return " ".join(kept.format(**said).split()), said["place"]

    def _lists(self, kind: Kind) -> dict[str, list[str]]:
        worn = self.accessories if kind == "live" else [""]
        return {"place": self.places, "property": self.properties, "accessory": worn}


def turn(count: int, index: int, *name: str | int) -> int:
    """Which of `count` things it is at `index`: all of them before one comes again, in an order that `name` gives."""
    lap, position = divmod(index, count)
    return rng.permutation(count, *name, lap)[position] if count > 1 else 0


def named_places(templates: Sequence[str], captions: Sequence[str]) -> Iterator[str]:
    """The prompts whose places are named in captions, such as those of pictures to test on."""
    told = [caption.casefold() for caption in captions]
    for template in dict.fromkeys(templates):
        place = template.partition(NOUN)[2].strip(" ,.").casefold()
        if place and any(place in caption for caption in told):
            yield template
