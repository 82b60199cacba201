"""Where the pictures of a run and of the untuned model lie, which are asked for, and how the missing ones are drawn."""

import gc
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch

from imprint.evaluation.profile import SUBJECT, Profile
from imprint.evaluation.prompts import without_identifier
from imprint.evaluation.records import Asked, Shot
from imprint.locations import cache_folder
from imprint.methods.merging import merge_exactly
from imprint.models.base import Model
from imprint.pictures.draw import drawn_by, fill
from imprint.pictures.recipe import Recipe, key_of
from imprint.pictures.store import Store
from imprint.planning.assemble import computing
from imprint.results.load import trained_model
from imprint.scoring.subject import EvaluationSubject

Drawn = Literal["tuned", "untuned", "prompt_only"]  # the rows whose pictures a model draws
Galleries = Mapping[Drawn, Mapping[str, Store]]


def galleries(judged: EvaluationSubject, profile: Profile, *, step: int | None = None) -> dict[Drawn, dict[str, Store]]:
    """Every gallery that the profile needs, by row and set. Those of the untuned model are shared by all runs; with a
    `step`, the run's own are of the model as it was then."""
    asked = profile.asked(judged.kind, judged.concept.noun)
    found: dict[Drawn, dict[str, Store]] = {
        "tuned": {name: _gallery("tuned", asked[name], judged, profile, step) for name in profile.needed}
    }
    if needed := profile.needed_untuned:
        found["untuned"] = {name: _gallery("untuned", asked[name], judged, profile) for name in needed}
    if "prompt_only" in profile.rows:
        found["prompt_only"] = {SUBJECT: _gallery("prompt_only", asked[SUBJECT], judged, profile)}
    return found


def departures(judged: EvaluationSubject) -> dict[str, Any]:
    """In what the run's pictures are not those of the run as it was trained; mostly in nothing."""
    strength = {"scale": dict(judged.scale)} if judged.scale else {}
    base = {"base": judged.source.facts.fingerprint} if judged.base is not None else {}
    return {**strength, **base}


def shots(gallery: Store) -> list[Shot]:
    """All pictures that are settled, in the order asked; failed and blank ones too."""
    return [
        Shot(asked_of(recipe), recipe.prompt, recipe.seed, file, content, state)
        for recipe, file, content, state in gallery.drawn()
    ]


def asked_of(recipe: Recipe) -> Asked:
    return Asked(**recipe.facts)


def draw_missing(
    subjects: Sequence[tuple[EvaluationSubject, Galleries]], profile: Profile, device: torch.device
) -> None:
    """A model is only loaded where a picture of its is missing, one at a time and once for all subjects of the run."""
    one, _ = subjects[0]
    for tuned in (True, False):
        if lacking := lacking_of(subjects, tuned=tuned):
            draw(lacking, (_tuned(one) if tuned else one.source.model.load()).to(device), profile, device)
            gc.collect()
            if device.type == "cuda":
                torch.cuda.empty_cache()


def lacking_of(subjects: Sequence[tuple[EvaluationSubject, Galleries]], *, tuned: bool) -> dict[str, Store]:
    """The galleries with missing pictures that the run's own model draws, or those that the untuned one does, by what
    they are called in messages."""
    return {
        " ".join(filter(None, (f"{judged.run.folder.name},", judged.name, row, name))): gallery
        for judged, found in subjects
        for row, sets in found.items()
        for name, gallery in sets.items()
        if (row == "tuned") == tuned and gallery.missing()
    }


def draw(lacking: Mapping[str, Store], model: Model, profile: Profile, device: torch.device) -> None:
    """Draws them all with `model`."""
    with computing(profile.precision, device):
        for label, gallery in lacking.items():
            fill(gallery, drawn_by(model), batch_size=profile.batch_size, label=label, counts_failures=True)


def _tuned(judged: EvaluationSubject) -> Model:
    model = trained_model(judged.run, scale=judged.scale, base=judged.base).model
    merge_exactly(model.roles.values())
    return model


def _gallery(
    row: Drawn, asked: Sequence[Asked], judged: EvaluationSubject, profile: Profile, step: int | None = None
) -> Store:
    name, sampler = asked[0].set, judged.source.model.sampler
    recipes = [
        Recipe(
            file=f"{one.number:03d}-{one.k}.png",
            prompt=_prompt(row, one.template, judged),
            seed=one.seed(judged.subject),
            sampler=sampler,
            size=judged.size,
            facts=one._asdict(),
        )
        for one in asked
    ]
    common: dict[str, Any] = {
        "subject": judged.subject,
        "set": name,
        "sampler": sampler.hashed(),
        "size": list(judged.size),
        "precision": profile.precision,
        # the whole list, so that a picture keeps its file when a profile is restricted
        "prompts": [_prompt(row, prompt.template, judged) for prompt in profile.pictures[name].of(judged.kind)],
    }
    if row == "tuned":
        common |= departures(judged)
        folder = judged.run.folder / "pictures"
        if step is not None:
            folder /= f"step-{step:06d}"
        return Store(folder / f"{name}-{key_of(common, 12)}", recipes, common)
    common["model"] = judged.source.facts.fingerprint
    return Store(cache_folder() / "pictures" / key_of(common, 12), recipes, common)


def _prompt(row: Drawn, template: str, judged: EvaluationSubject) -> str:
    if row == "prompt_only":
        return without_identifier(template, judged.concept.noun)
    concept = judged.concept if row == "tuned" else judged.rare
    return concept.fill(template)
