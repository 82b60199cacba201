"""What every personalisation method offers."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from imprint.errors import Problem
from imprint.families.base import Facts, Family, Format
from imprint.methods.identifier import choose_identifier
from imprint.types import Concept, ParamGroup


class Method(ABC):
    """What learns, and which words name it. It knows nothing of a family but its roles."""

    locators: ClassVar[frozenset[str]] = frozenset()  # settings that do not change a result by themselves

    def choose_identifier(self, facts: Facts, noun: str) -> str:
        """The word that dataset.identifier=auto stands for: a rare one that the model has already."""
        return choose_identifier(facts.tokenizer)

    def problems(self, facts: Facts, concept: Concept) -> Iterator[Problem | str]:
        """What makes this method impossible on this model; the key of a Problem is relative to `method`."""
        return iter(())

    @abstractmethod
    def attach(self, family: Family, concept: Concept) -> list[ParamGroup]:
        """Prepares the (frozen) family and returns what trains: exactly these parameters, in float32."""

    @abstractmethod
    def templates(self, concept: Concept) -> Sequence[str]:
        """The captions of a picture that has none of its own."""

    @abstractmethod
    def usage(self, concept: Concept) -> str:
        """A few lines of Python that draw a picture with a saved result in `folder`, without imprint."""

    @abstractmethod
    def save(self, family: Family, folder: Path) -> None:
        """Writes the result in the format that other tools read."""

    def scale_problems(self, scale: Mapping[str, float]) -> Iterator[Problem]:
        """The strengths that a result of this method cannot have; most results have no strength to choose."""
        for role, strength in scale.items():
            if strength != 1.0:
                yield Problem(
                    scale_key(role), strength, "what this method learns has no strength to choose. Leave it at 1."
                )

    @abstractmethod
    def load(self, family: Family, folder: Path, *, scale: Mapping[str, float]) -> None:
        """Puts a saved result into an untuned family, with a strength per role (1: as trained)."""

    def sign(self, folder: Path, origin: Mapping[str, str]) -> None:  # noqa: B027 - few formats have such a place
        """Notes in the files of a saved result what they were made from, where their format has a place for it."""

    def formats(self, family: Family) -> Mapping[str, Format]:
        """Formats for a family with a result of this method loaded, beside or in place of the family's own. Writing
        one may use the family up."""
        return {}


def scale_key(role: str) -> str:
    """What a user gives the strength of a part by."""
    return "scale.unet" if role == "denoiser" else f"scale.{role}"
