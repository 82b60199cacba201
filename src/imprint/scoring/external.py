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
    class_pictures,
    find_pictures,
    given_prompts,
    match,
    named_prompts,
    profile_prompts,
)
from imprint.evaluation.fingerprints import facts_of, fingerprint
from imprint.evaluation.measuring import EvaluationInputs, Shots, measure
from imprint.evaluation.profile import SUBJECT, Profile
from imprint.evaluation.records import Candidate, Photo, PictureRequest
from imprint.evaluation.score_sheet import GIVEN, Row, ScoreSheet
from imprint.planning.evaluable import features_for, photo_counts, photos_of, sizes_of, too_few
from imprint.scoring.score_sheets import write_sheet
from imprint.training.trainer import process_device
from imprint.types import Concept

Missing = Literal["strict", "count"]
CLASS = "class"  # the prompts about any member of the class
CLASS_KEYS: Mapping[Row, str] = {"tuned": "class_images", "untuned": "untuned_class_images"}


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """A folder of pictures of a subject that `references` show; and, where there are some, of pictures of its class by
    the same model, and by the untuned one. Those two answer the profile's class prompts, in the order of their names.

    `prompts` None: those of an index in the folder, else the profile's. An empty identifier: they name the class alone.
    """

    folder: Path
    class_folder: Path | None
    untuned_class_folder: Path | None
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
    """Writes the score sheet into `outputs` and returns its file. Metrics of prompts without pictures are left out.

    Raises ConfigError with everything that stands in the way.
    """
    began = time.monotonic()
    problems: list[Problem | str] = []
    folders: dict[Row, Path | None] = {"tuned": pictures.class_folder, "untuned": pictures.untuned_class_folder}
    by_row = {row: [CLASS] if folder else [] for row, folder in folders.items()}
    whole, (profile, left_out) = profile, profile.of_sets([SUBJECT, *by_row["tuned"]], by_row["untuned"])
    photos = photos_of(pictures.references, trained_on=True)
    problems += profile.problems(photo_counts(photos, pictures.class_photos))
    judges = {**profile.encoders, **encoders}
    features = features_for(profile, judges, process_device(accelerator), problems)
    prompts, external, faults = _matched(pictures, profile)
    if pictures.missing == "strict" or not external.shots:
        problems += [Problem("images", str(pictures.folder), fault) for fault in faults]
    class_prompts, of_class = _of_class(folders, whole, pictures, problems)
    templates = {
        name: [(prompt.template, prompt.category) for prompt in some]
        for name, some in ((SUBJECT, prompts), (CLASS, class_prompts))
        if some
    }
    asked = {SUBJECT: external.asked, **({CLASS: min(one.asked for one in of_class.values())} if of_class else {})}
    problems += too_few(profile, asked, len(pictures.class_photos), judges, more="Give more")
    sizes = sizes_of(pictures.references)
    problems += profile.unmeasurable(Candidate(pictures.subject, pictures.concept.noun, sizes, templates))
    if problems:
        raise ConfigError(problems)
    shots: dict[Row, Shots] = {row: {CLASS: one.shots} for row, one in of_class.items()}
    shots["tuned"] = {SUBJECT: external.shots, **shots.get("tuned", {})}
    inputs = EvaluationInputs(
        subject=pictures.subject,
        concept=pictures.concept,
        shots=shots,
        asked={row: sum(asked[name] for name in sets) for row, sets in shots.items()},
        of_subject=[
            (PictureRequest(SUBJECT, number, prompt.template, prompt.category, k), prompt.text)
            for number, prompt in enumerate(prompts)
            for k in range(external.asked // len(prompts))
        ],
        photos=photos,
        class_photos=pictures.class_photos,
        others=(),
        prompts=templates,
    )
    measured = measure(inputs, profile, features)
    sampling = {"sampler": "unknown"}
    sets = {name: {"prompts": some, "images": asked[name] // len(some)} for name, some in templates.items()}
    sheet = ScoreSheet(
        run=pictures.folder.name,
        method=GIVEN,
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


def _of_class(
    folders: Mapping[Row, Path | None], profile: Profile, pictures: Pictures, problems: list[Problem | str]
) -> tuple[list[GivenPrompt], dict[Row, ExternalPictures]]:
    """The class prompts, and by row the pictures of these; what is wrong is added to the problems."""
    found: dict[Row, ExternalPictures] = {}
    prompts: list[GivenPrompt] = []
    for row, folder in folders.items():
        if folder is None:
            continue
        key = CLASS_KEYS[row]
        if CLASS not in profile.pictures:
            remedy = f"{profile.name} has no class prompts. Add them (+prompt_set@evaluation.pictures.class=class)."
            problems.append(Problem(key, str(folder), remedy))
            continue
        prompts = profile_prompts(profile.pictures[CLASS], pictures.kind, pictures.concept)
        found[row], faults = class_pictures(folder, prompts)
        problems += [Problem(key, str(folder), fault) for fault in faults]
    if len({one.asked for one in found.values()}) > 1:
        problems.append(f"{' and '.join(CLASS_KEYS.values())}: give equally many of both, the first beside the first.")
    return prompts, found


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
