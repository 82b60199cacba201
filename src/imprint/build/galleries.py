"""Where a run's pictures and the untuned model's lie, and which are asked for."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from imprint.build.judged import Judged
from imprint.evaluation.drawing import seed_for
from imprint.evaluation.gallery import Gallery, Order, key_of
from imprint.evaluation.profile import SUBJECT, Profile
from imprint.evaluation.prompts import without_identifier
from imprint.evaluation.records import Asked
from imprint.locations import cache_folder

Drawn = Literal["tuned", "untuned", "prompt_only"]  # the rows whose pictures a model draws
Galleries = Mapping[Drawn, Mapping[str, Gallery]]


def galleries(judged: Judged, profile: Profile, *, step: int | None = None) -> dict[Drawn, dict[str, Gallery]]:
    """Every gallery that the profile needs, by row and set. Those of the untuned model are shared by all runs; with a
    `step`, the run's own are of the model as it was then."""
    asked = profile.asked(judged.kind, judged.concept.noun)
    found: dict[Drawn, dict[str, Gallery]] = {
        "tuned": {name: _gallery("tuned", asked[name], judged, profile, step) for name in profile.needed}
    }
    if needed := profile.needed_untuned:
        found["untuned"] = {name: _gallery("untuned", asked[name], judged, profile) for name in needed}
    if "prompt_only" in profile.rows:
        found["prompt_only"] = {SUBJECT: _gallery("prompt_only", asked[SUBJECT], judged, profile)}
    return found


def departures(judged: Judged) -> dict[str, Any]:
    """In what the run's pictures are not those of the run as it was trained; mostly in nothing."""
    strength = {"scale": dict(judged.scale)} if judged.scale else {}
    base = {"base": judged.source.facts.fingerprint} if judged.base is not None else {}
    return {**strength, **base}


def _gallery(row: Drawn, asked: Sequence[Asked], judged: Judged, profile: Profile, step: int | None = None) -> Gallery:
    name = asked[0].set
    orders = [Order(one, _prompt(row, one.template, judged), seed_for(judged.subject, one)) for one in asked]
    recipe: dict[str, Any] = {
        "subject": judged.subject,
        "set": name,
        "sampler": judged.source.model.sampler.told(),
        "size": list(judged.size),
        "precision": profile.precision,
        # the whole list, so that a picture keeps its file when a profile is restricted
        "prompts": [_prompt(row, prompt.template, judged) for prompt in profile.pictures[name].of(judged.kind)],
    }
    if row == "tuned":
        recipe |= departures(judged)
        folder = judged.run.folder / "pictures"
        if step is not None:
            folder /= f"step-{step:06d}"
        return Gallery(folder / f"{name}-{key_of(recipe)}", orders, recipe)
    recipe["model"] = judged.source.facts.fingerprint
    return Gallery(cache_folder() / "pictures" / key_of(recipe), orders, recipe)


def _prompt(row: Drawn, template: str, judged: Judged) -> str:
    if row == "prompt_only":
        return without_identifier(template, judged.concept.noun)
    concept = judged.concept if row == "tuned" else judged.rare
    return concept.fill(template)
