"""Which prompts a set has, and which pictures it asks for."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pydantic import NonNegativeInt, PositiveInt

from imprint.evaluation.records import PictureRequest
from imprint.kinds import of_kind
from imprint.suggestions import nearest
from imprint.templates import template_fault

ANY = "any"  # the kind of a list that every kind of subject shares


class Prompt(NamedTuple):
    number: int  # in the whole list
    template: str
    category: str


@of_kind("prompt_set/templates")
class PromptSet:
    """Prompts by kind of subject (object, live; any: both) and category, with `images` pictures each.

    `numbers` and `categories` restrict it (null: all); what is left keeps its number, and so its pictures.
    """

    def __init__(
        self,
        *,
        prompts: Mapping[str, Mapping[str, list[str]]],
        images: PositiveInt,
        numbers: list[NonNegativeInt] | None,
        categories: list[str] | None,
    ) -> None:
        self.prompts = prompts
        self.images = images
        self.numbers = numbers
        self.categories = categories
        if faults := list(self._faults()):
            raise ValueError("\n".join(faults))

    def of(self, kind: str) -> list[Prompt]:
        """The whole list for a kind of subject, in the order written."""
        lists = self.prompts.get(kind, self.prompts.get(ANY, {}))
        pairs = [(template, category) for category, templates in lists.items() for template in templates]
        return [Prompt(number, *pair) for number, pair in enumerate(pairs)]

    def requests(self, name: str, kind: str, noun: str) -> list[PictureRequest]:
        """Every picture of a subject that the set, called `name`, asks for."""
        prompts = [prompt for prompt in self._kept(kind) if not _names(prompt.template, noun)]
        return [PictureRequest(name, *prompt, k) for prompt in prompts for k in range(self.images)]

    def left_out(self, kind: str, noun: str) -> list[str]:
        """Prompts about other things that happen to name the subject's own class."""
        return [prompt.template for prompt in self._kept(kind) if _names(prompt.template, noun)]

    def settings(self) -> dict[str, object]:
        """The settings that decide which pictures are asked for, whatever the subject."""
        chosen = {kind: [prompt[1:] for prompt in self._kept(kind)] for kind in self.prompts}
        return {"prompts": chosen, "images": self.images}

    @property
    def known_categories(self) -> set[str]:
        return {category for lists in self.prompts.values() for category in lists}

    def _kept(self, kind: str) -> list[Prompt]:
        return [
            prompt
            for prompt in self.of(kind)
            if (self.numbers is None or prompt.number in self.numbers)
            and (self.categories is None or prompt.category in self.categories)
        ]

    def _faults(self) -> Iterator[str]:
        for kind in self.prompts:
            templates = [prompt.template for prompt in self.of(kind)]
            yield from (f"prompts.{kind} has {fault}" for text in templates if (fault := template_fault(text)))
            if twice := sorted({text for text in templates if templates.count(text) > 1}):
                yield f"prompts.{kind}: {', '.join(map(repr, twice))} may be given only once."
        known = self.known_categories
        for category in self.categories or []:
            if category not in known:
                yield f"categories: there is no {category!r}; {nearest(category, known)}"
        longest = max((len(self.of(kind)) for kind in self.prompts), default=0)
        if beyond := [number for number in self.numbers or [] if number >= longest]:
            yield f"numbers={beyond}: prompts are numbered from 0 to {longest - 1}."
        if not longest:
            yield "prompts: there is none. Give a list of prompts."


def _names(template: str, noun: str) -> bool:
    """Whether a prompt about other things (without {identifier} and {noun}) mentions the noun."""
    return "{" not in template and bool(noun) and re.search(rf"\b{re.escape(noun)}(e?s)?\b", template, re.I) is not None


def without_identifier(template: str, noun: str) -> str:
    """The prompt about any member of the class."""
    return " ".join(template.format(identifier="", noun=noun).split())
