"""Has encoders see pictures before these are scored: in batches over all runs, with weights that are read once."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from imprint.evaluation.features import FeatureStore
from imprint.evaluation.profile import Profile
from imprint.evaluation.records import Picture, Shot
from imprint.scoring.galleries import Galleries, shots
from imprint.scoring.subject import EvaluationSubject


class Shown(NamedTuple):
    """A subject of a finished run, and where the pictures lie by which it is scored."""

    judged: EvaluationSubject
    profile: Profile
    galleries: Galleries


def view(shown: Iterable[Shown]) -> None:
    """What encoders make of all the pictures, and of the photos beside them, is kept, so that scoring each run finds
    it. Raises UserError where a picture cannot be seen."""
    views: dict[str, tuple[FeatureStore, str, list[Picture]]] = {}  # by the encoder's fingerprint
    for judged, profile, found in shown:
        for role in _roles(profile):
            encoder = judged.features.encoders[role]
            _, _, pictures = views.setdefault(encoder.fingerprint, (judged.features, role, []))
            pictures += [*judged.photos, *judged.class_photos, *_drawn(found)]
    for features, role, pictures in views.values():
        if pictures:
            features.images(role, pictures)


def _roles(profile: Profile) -> set[str]:
    """Of the encoders that some metric shows whole pictures to."""
    needs = [metric.needs for metric in profile.metrics.values()]
    return {role for needed in needs if "images" in needed.sides for role in needed.encoders}


def _drawn(found: Galleries) -> Iterator[Shot]:
    for sets in found.values():
        for gallery in sets.values():
            yield from (shot for shot in shots(gallery) if shot.state == "ok")
