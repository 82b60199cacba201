"""Drift: how much the pictures of other prompts than the subject's have changed."""

from typing import Literal

from imprint.errors import UserError
from imprint.evaluation.metrics.base import Metric, per_picture, shots_of, unit_features, untuned_shots_of
from imprint.evaluation.records import Evidence, Needs, Value
from imprint.kinds import of_kind


@of_kind("metric/drift")
class Drift(Metric):
    """(1 - cosine) / 2 of the tuned and the untuned model's picture of the same prompt and noise."""

    title = "drift"
    better = "lower"
    bounds = (0.0, 1.0)

    def __init__(self, *, encoder: str, sets: list[Literal["class", "unrelated"]]) -> None:
        if not sets or len(set(sets)) < len(sets):
            raise ValueError(f"sets={sets}: give at least one, and each only once.")
        self.encoder = encoder
        self.sets = sets

    @property
    def needs(self) -> Needs:
        sets = tuple(self.sets)
        return Needs(sets=sets, untuned=sets, encoders=(self.encoder,), photos=0)

    def measure(self, evidence: Evidence) -> list[Value]:
        return [value for name in self.sets for value in self._of_set(evidence, name)]

    def _of_set(self, evidence: Evidence, name: str) -> list[Value]:
        before = {shot.request: shot for shot in untuned_shots_of(evidence, name, self.title)}
        after = shots_of(evidence, name, self.title)
        pairs = [(shot, before[shot.request]) for shot in after if shot.request in before]
        if not pairs:
            raise UserError(
                f"{self.title} of {evidence.subject}: no {name} prompt has a usable picture by both models. "
                "Draw them again, or leave the metric out."
            )
        assert all(tuned.seed == untuned.seed for tuned, untuned in pairs)
        tuned_ND, untuned_ND = (
            unit_features(evidence, self.encoder, shots, self.title) for shots in zip(*pairs, strict=True)
        )
        changes = (1 - (tuned_ND * untuned_ND).sum(dim=1)) / 2
        return per_picture([shot for shot, _ in pairs], changes)
