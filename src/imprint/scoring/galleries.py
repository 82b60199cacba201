"""The pictures by which a run is scored: which are asked for, where they lie, how they are generated and encoded.

A gallery is the picture store of one row (the run's model, or an untuned one) and one set of prompts.
"""

import gc
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, NamedTuple

import torch

from imprint.evaluation.features import FeatureStore
from imprint.evaluation.measuring import EvaluationInputs, Shots
from imprint.evaluation.profile import SUBJECT, Profile
from imprint.evaluation.prompts import without_identifier
from imprint.evaluation.records import Picture, PictureRequest, Shot
from imprint.evaluation.score_sheet import Row
from imprint.locations import cache_folder
from imprint.methods.adapter_layers import merge_exactly
from imprint.models.base import Model
from imprint.models.loading import Loading, whole_on
from imprint.pictures.generate import generate_missing, generate_with
from imprint.pictures.store import PictureStore, Recipe, key_of
from imprint.planning.assemble import computing
from imprint.planning.residence import loading_to_draw
from imprint.results.load import trained_model
from imprint.scoring.pairs import identity_of_pairs, interpolating, low_res_of
from imprint.scoring.subject import EvaluationSubject

OF_RUN: Sequence[Row] = ("tuned",)
OF_UNTUNED: Sequence[Row] = ("untuned", "prompt_only")
OF_NO_MODEL: Sequence[Row] = ("bicubic",)


class Incomplete(NamedTuple):
    """A gallery with missing pictures, and whose they are. Another process may complete it at any time."""

    gallery: PictureStore
    subject: EvaluationSubject


class Galleries(NamedTuple):
    """Every gallery by which a profile scores a subject, by row and set of prompts."""

    subject: EvaluationSubject
    profile: Profile
    rows: Mapping[Row, Mapping[str, PictureStore]]

    def incomplete(self, of: Collection[Row]) -> dict[str, Incomplete]:
        """Those with missing pictures of these rows, by their names in messages."""
        run, subject = self.subject.run.folder.name, self.subject.name
        return {
            " ".join(filter(None, (f"{run},", subject, row, name))): Incomplete(gallery, self.subject)
            for row, sets in self.rows.items()
            for name, gallery in sets.items()
            if row in of and gallery.missing()
        }

    def shots(self) -> dict[Row, Shots]:
        """All pictures that are settled, in the order of the requests; failed and blank ones too."""
        return {row: {name: _shots(gallery) for name, gallery in sets.items()} for row, sets in self.rows.items()}

    def inputs(self) -> EvaluationInputs:
        subject, own = self.subject, self.rows["tuned"].get(SUBJECT)
        return EvaluationInputs(
            subject=subject.label,
            concept=subject.concept,
            shots=self.shots(),
            asked={row: sum(len(gallery.recipes) for gallery in sets.values()) for row, sets in self.rows.items()},
            of_subject=[(PictureRequest(**recipe.facts), recipe.prompt) for recipe in own.recipes] if own else [],
            photos=subject.photos,
            class_photos=subject.class_photos,
            others=subject.others,
            prompts=self.profile.templates(subject.kind),
        )


def galleries_of(subject: EvaluationSubject, profile: Profile, *, step: int | None = None) -> Galleries:
    """Those of the untuned model are shared by all runs. With a `step`, the run's own are of the model at that step."""
    requests = profile.requests(subject.kind, subject.concept.noun)
    rows: dict[Row, dict[str, PictureStore]] = {
        "tuned": {name: _gallery("tuned", requests[name], subject, profile, step) for name in profile.tuned_sets}
    }
    if "bicubic" in profile.rows:
        rows["bicubic"] = {
            name: _gallery("bicubic", requests[name], subject, profile) for name in profile.anonymous_sets
        }
    if needed := profile.untuned_sets:
        rows["untuned"] = {name: _gallery("untuned", requests[name], subject, profile) for name in needed}
    if "prompt_only" in profile.rows:
        rows["prompt_only"] = {
            name: _gallery("prompt_only", requests[name], subject, profile) for name in profile.anonymous_sets
        }
    return Galleries(subject, profile, rows)


def overrides(subject: EvaluationSubject) -> dict[str, Any]:
    """The strength and the base model that were given in place of the run's own; mostly none."""
    strength = {"scale": dict(subject.scale)} if subject.scale else {}
    base = {"base": subject.source.facts.fingerprint} if subject.base is not None else {}
    return {**strength, **base}


def complete_galleries(of_subjects: Sequence[Galleries], device: torch.device) -> None:
    """Generates what is missing of a run's subjects under a profile. A model is only loaded where a picture of its is
    missing, one at a time and once for all subjects."""
    subject, profile, _ = of_subjects[0]
    interpolate_galleries(_missing(of_subjects, OF_NO_MODEL), profile)
    for rows in (OF_RUN, OF_UNTUNED):
        if missing := _missing(of_subjects, rows):
            loading = loading_to_draw(profile.precision, device)
            model = _tuned_model(subject, loading) if rows is OF_RUN else _untuned_model(subject, loading, device)
            model.to(device)
            generate_galleries(missing, model, profile, device)
            del model
            gc.collect()
            if device.type == "cuda":
                torch.cuda.empty_cache()


def generate_galleries(missing: Mapping[str, Incomplete], model: Model, profile: Profile, device: torch.device) -> None:
    """`missing` is by the galleries' names in messages."""
    side = model.low_side
    with computing(profile.precision, device), side.needed() if side else nullcontext():
        for label, (gallery, subject) in missing.items():
            draw = generate_with(model, low_res_of(subject, model))
            generate_missing(gallery, draw, batch_size=profile.batch_size, label=label, counts_failures=True)


def interpolate_galleries(missing: Mapping[str, Incomplete], profile: Profile) -> None:
    """The same without a model."""
    for label, (gallery, subject) in missing.items():
        side = subject.source.model.low_side()
        assert side is not None  # others have no such rows
        with side.needed():
            draw = interpolating(subject, side)
            generate_missing(gallery, draw, batch_size=profile.batch_size, label=label, counts_failures=True)


def encode_galleries(of_subjects: Iterable[Galleries]) -> None:
    """Computes the features of all pictures, and of the photos beside them, in batches over all runs and with weights
    that are read once. They are cached, so that scoring each run finds them. Raises UserError where one cannot be."""
    by_encoder: dict[str, tuple[FeatureStore, str, list[Picture]]] = {}  # by the encoder's fingerprint
    for one in of_subjects:
        subject = one.subject
        usable = [
            shot for sets in one.shots().values() for shots in sets.values() for shot in shots if shot.state == "ok"
        ]
        needs = [metric.needs for metric in one.profile.metrics.values()]
        for role in {role for needed in needs if "images" in needed.sides for role in needed.encoders}:
            fingerprint = subject.features.encoders[role].fingerprint
            _, _, pictures = by_encoder.setdefault(fingerprint, (subject.features, role, []))
            pictures += [*subject.photos, *subject.class_photos, *usable]
    for features, role, pictures in by_encoder.values():
        if pictures:
            features.images(role, pictures)


def _tuned_model(subject: EvaluationSubject, loading: Loading) -> Model:
    model = trained_model(subject.run, scale=subject.scale, base=subject.base, loading=loading).model
    merge_exactly(model.roles.values())
    return model


def _untuned_model(subject: EvaluationSubject, loading: Loading, device: torch.device) -> Model:
    return subject.source.model.load_as(replace(loading, device=whole_on(device).device))


def _missing(of_subjects: Sequence[Galleries], rows: Collection[Row]) -> dict[str, Incomplete]:
    return {label: gallery for one in of_subjects for label, gallery in one.incomplete(rows).items()}


def _shots(gallery: PictureStore) -> list[Shot]:
    return [
        Shot(PictureRequest(**recipe.facts), recipe.prompt, recipe.seed, file, content, state)
        for recipe, file, content, state in gallery.outcomes()
    ]


def _gallery(
    row: Row, requests: Sequence[PictureRequest], subject: EvaluationSubject, profile: Profile, step: int | None = None
) -> PictureStore:
    name, sampler = requests[0].set, subject.source.model.sampler
    recipes = [
        Recipe(
            file=f"{request.number:03d}-{request.k}.png",
            prompt=_prompt(row, request.template, subject),
            seed=request.seed(subject.label),
            sampler=sampler,
            size=subject.size,
            facts=request._asdict(),
        )
        for request in requests
    ]
    common: dict[str, Any] = {
        "subject": subject.label,
        "set": name,
        "size": list(subject.size),
        # the whole list, so that a picture keeps its file when a profile is restricted
        "prompts": [_prompt(row, prompt.template, subject) for prompt in profile.pictures[name].of(subject.kind)],
        **identity_of_pairs(subject, name),
    }
    if row == "bicubic":
        upscaling = subject.source.facts.upscaling
        assert upscaling is not None
        common |= {"interpolation": row, "factor": upscaling.factor}
        return PictureStore(cache_folder() / "pictures" / key_of(common, 12), recipes, common)
    common |= {"sampler": sampler.hashed(), "precision": profile.precision}
    if row == "tuned":
        common |= overrides(subject)
        folder = subject.run.folder / "pictures"
        if step is not None:
            folder /= f"step-{step:06d}"
        return PictureStore(folder / f"{name}-{key_of(common, 12)}", recipes, common)
    common["model"] = subject.source.facts.fingerprint
    return PictureStore(cache_folder() / "pictures" / key_of(common, 12), recipes, common)


def _prompt(row: Row, template: str, subject: EvaluationSubject) -> str:
    if row in ("prompt_only", "bicubic"):
        return without_identifier(template, subject.concept.noun)
    concept = subject.concept if row == "tuned" else subject.untuned_concept
    return concept.fill(template)
