"""Scores pictures that another program generated."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from imprint.data.pictures import PictureSet
from imprint.errors import ConfigError, Problem
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.external_pictures import (
    ExternalPictures,
    GivenPrompt,
    find_pictures,
    given_prompts,
    match,
    named_prompts,
    profile_prompts,
)
from imprint.evaluation.fingerprints import facts_of, fingerprint
from imprint.evaluation.measuring import EvaluationInputs, measure
from imprint.evaluation.profile import SUBJECT, Profile
from imprint.evaluation.records import Candidate, Photo, PictureRequest
from imprint.evaluation.score_sheet import ScoreSheet
from imprint.planning.evaluable import features_for, photo_counts, photos_of, sizes_of
from imprint.scoring.score_sheets import write_sheet
from imprint.training.trainer import process_device
from imprint.types import Concept

Missing = Literal["strict", "count"]


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """A folder of pictures of a subject that `references` show.

    `prompts` None: those of an index in the folder, else the profile's. An empty identifier: they name the class alone.
    """

    folder: Path
    prompts: Sequence[str] | None
    references: PictureSet
    class_photos: Sequence[Photo]
    subject: str
    concept: Concept
    kind: str
    missing: Missing


def score_pictures(
    pictures: Pictures, profile: Profile, *, encoders: Mapping[str, Encoder], accelerator: str, outputs: Path
) -> Path:
    """Writes the score sheet into `outputs` and returns its file. Metrics of other prompts than the subject's are left
    out.

    Raises ConfigError with everything that stands in the way.
    """
    began = time.monotonic()
    problems: list[Problem | str] = []
    profile, left_out = profile.of_sets([SUBJECT])
    photos = photos_of(pictures.references, trained_on=True)
    problems += profile.problems(photo_counts(photos, pictures.class_photos))
    features = features_for(profile, {**profile.encoders, **encoders}, process_device(accelerator), problems)
    prompts, external, faults = _matched(pictures, profile)
    if pictures.missing == "strict" or not external.shots:
        problems += [Problem("images", str(pictures.folder), fault) for fault in faults]
    templates = {SUBJECT: [(prompt.template, prompt.category) for prompt in prompts]}
    sizes = sizes_of(pictures.references)
    problems += profile.unmeasurable(Candidate(pictures.subject, pictures.concept.noun, sizes, templates))
    if problems:
        raise ConfigError(problems)
    inputs = EvaluationInputs(
        subject=pictures.subject,
        concept=pictures.concept,
        shots={"tuned": {SUBJECT: external.shots}},
        asked={"tuned": external.asked},
        of_subject=[
            (PictureRequest(SUBJECT, number, prompt.template, prompt.category, k), prompt.text)
            for number, prompt in enumerate(prompts)
            for k in range(external.asked // len(prompts))
        ],
        photos=photos,
        class_photos=pictures.class_photos,
        prompts=templates,
    )
    measured = measure(inputs, profile, features)
    sampling = {"sampler": "unknown"}
    sets = {SUBJECT: {"prompts": templates[SUBJECT], "images": external.asked // len(prompts)}}
    sheet = ScoreSheet(
        run=pictures.folder.name,
        method="pictures",
        settings={},
        subject=pictures.subject,
        kind=pictures.kind,
        noun=pictures.concept.noun,
        seed=0,
        step=0,
        profile=profile.name,
        averaging=profile.averaging,
        sampling=fingerprint({**sampling, "sets": sets}),
        metrics=facts_of(profile, features.encoders, sampling=sampling, sets=sets),
        pictures=measured.pictures,
        prompts=templates,
        rows=measured.rows,
        seconds={"measuring": time.monotonic() - began},
        notes=[*left_out, *faults, *measured.notes],
    )
    return write_sheet(sheet, outputs)


def _matched(pictures: Pictures, profile: Profile) -> tuple[list[GivenPrompt], ExternalPictures, list[str]]:
    """The prompts, the pictures that belong to them, and everything that is wrong."""
    found, faults = find_pictures(pictures.folder)
    known = profile_prompts(profile.pictures[SUBJECT], pictures.kind, pictures.concept)
    texts = pictures.prompts or named_prompts(found)
    if pictures.prompts is not None or texts:
        prompts, wrong = given_prompts(texts, known, pictures.concept)
        faults += wrong
    else:
        prompts = known
    if not found and not faults:
        faults.append("there is no picture here. Give a folder of pictures.")
    if not prompts:
        faults.append(
            f"there is no prompt for a subject of the kind {pictures.kind}. Give prompts=FILE, or another kind."
        )
        return [], ExternalPictures([], 0), faults
    external, wrong = match(found, prompts)
    return prompts, external, [*faults, *wrong]
