"""What every metric offers."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

from imprint.evaluation.records import Evidence, Needs, Value


class Metric(ABC):
    """One number of a subject's pictures. Its settings are part of the number's fingerprint."""

    title: ClassVar[str]  # as tables call it: CLIP-I
    better: ClassVar[Literal["higher", "lower", "neither"]]

    @property
    @abstractmethod
    def needs(self) -> Needs:
        """Known without any picture, so that nothing is drawn in vain."""

    @abstractmethod
    def measure(self, evidence: Evidence) -> list[Value]:
        """As fine as the metric is defined: per picture if it can be. Every value is finite.

        Raises UserError, saying what is missing and the remedy, where the evidence does not suffice.
        """
