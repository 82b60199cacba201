"""The prompts that pictures from elsewhere answer, as templates."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from imprint.evaluation.prompts import PromptSet
from imprint.templates import template_fault
from imprint.types import Concept


class GivenPrompt(NamedTuple):
    text: str  # as the model saw it
    template: str
    category: str


def profile_prompts(prompts: PromptSet, kind: str, concept: Concept) -> list[GivenPrompt]:
    """A profile's own list, in which numbers count restricted ones, too."""
    return [GivenPrompt(_filled(one.template, concept), one.template, one.category) for one in prompts.of(kind)]


def given_prompts(
    texts: Sequence[str], known: Sequence[GivenPrompt], concept: Concept
) -> tuple[list[GivenPrompt], list[str]]:
    """A user's own prompts, filled or with places, and what is wrong with them. One that is in the list `known` has the
    category that it has there."""
    categories = {prompt.template: prompt.category for prompt in known}
    found, faults = [], []
    for text in texts:
        is_template = "{" in text
        if is_template and (fault := template_fault(text)):
            faults.append(f"prompts: {fault}")
            continue
        template = text if is_template else _template(text, concept)
        found.append(GivenPrompt(_filled(template, concept), template, categories.get(template, "")))
    if twice := sorted({prompt.text for prompt in found if sum(prompt.text == other.text for other in found) > 1}):
        faults.append(f"prompts: {', '.join(map(repr, twice))} may be given only once.")
    if concept.identifier and found and not any("{identifier}" in prompt.template for prompt in found):
        faults.append(f"identifier={concept.identifier!r}: no prompt says it. Give the word that the prompts have.")
    return found, faults


def _template(text: str, concept: Concept) -> str:
    for word, place in ((concept.identifier, "{identifier}"), (concept.noun, "{noun}")):
        if word:
            text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", place, text)
    return text


def _filled(template: str, concept: Concept) -> str:
    return " ".join(concept.fill(template).split())
