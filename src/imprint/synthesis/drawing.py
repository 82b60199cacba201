"""Draws what a data set lacks: the pictures of each run together, by the loop that all stores of pictures use. So a
killed program goes on, and several share the work."""

import time
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from PIL import Image

from imprint.construct import rebuilt
from imprint.labelled.layout import picture_name
from imprint.methods.adapter_layers import merge_exactly
from imprint.models.base import Model
from imprint.pictures.files import PictureWriter
from imprint.pictures.generate import Generate, generate_missing
from imprint.pictures.store import PictureStore, Recipe
from imprint.planning.assemble import computing
from imprint.planning.residence import loading_to_draw
from imprint.provenance.base import MadeBy, Provenance, result_hash, source_type
from imprint.results.load import other_model, own_model, trained_model
from imprint.runs import Run
from imprint.synthesis.base import Asked, Synthesis, Weights
from imprint.types import Beginning, Sampler

FOLDER = ".drawn"  # inside of a data set: every picture as it was drawn, whatever filters say of it

UNUSED = Sampler("model", 1, 0.0, "")  # where nothing is sampled


class How(NamedTuple):
    """How pictures are drawn, whatever the method. What is None is as a run's model is usually sampled."""

    steps: int | None
    scheduler: str | None
    negative_prompt: str | None
    base: str | None  # another model of the same kind
    scale: Mapping[str, float]
    batch_size: int | None
    precision: Literal["32", "bf16"]
    device: torch.device


class Drawn(NamedTuple):
    """Where a picture that was asked for lies."""

    asked: Asked
    file: Path
    content: str  # hash of the file's bytes
    guidance: float  # 0 where nothing guided


def draw_missing(
    folder: Path, asked: Sequence[Asked], method: Synthesis, how: How, provenance: Provenance
) -> tuple[list[Drawn], int, float]:
    """All pictures; how many of them were drawn now, and in how many seconds."""
    found: list[Drawn] = []
    new, since = 0, time.monotonic()
    for run in dict.fromkeys(one.subject.run for one in asked):
        own = [one for one in asked if one.subject.run is run]
        recipes = {picture_name(one.subject.label, one.number, one.k): one for one in own}
        assert len(recipes) == len(own), "each has a name of its own"
        store = PictureStore(
            folder / FOLDER,
            [_recipe(file, one, method, how) for file, one in recipes.items()],
            {},
            writer=_writer(provenance, folder / FOLDER, recipes, method, how),
        )
        if missing := store.missing():
            new += len(missing)
            generate = _generate_with(method, recipes, _model(run, method, how))
            with computing(how.precision, how.device):
                generate_missing(store, generate, batch_size=how.batch_size, label=_label(own), counts_failures=False)
        store.rewrite()
        for outcome in store.outcomes():
            guidance = outcome.recipe.sampler.guidance
            found.append(Drawn(recipes[outcome.recipe.file], outcome.file, outcome.content, guidance))
    return found, new, time.monotonic() - since


def missing(folder: Path, asked: Sequence[Asked], method: Synthesis) -> list[Asked]:
    """Those that are not drawn yet."""
    by_file = {picture_name(one.subject.label, one.number, one.k): one for one in asked}
    # what is there is known by its file, prompt and seed
    recipes = [Recipe(file, one.prompt, one.seed, UNUSED, one.subject.size, {}) for file, one in by_file.items()]
    return [by_file[recipe.file] for recipe in PictureStore(folder / FOLDER, recipes, {}).missing()]


def made_by(asked: Asked, method: Synthesis, how: How) -> MadeBy:
    """What a picture says of the weights that drew it, and of the photo that it has parts of."""
    drawn = method.weights != "none"
    photo = () if asked.photo is None else (asked.seen.photos.pictures[asked.photo].content,)
    origin = source_type(photo=bool(photo), model=drawn)
    return MadeBy(*_weights(asked.subject.run, method.weights, how.base), parents=photo, source_type=origin)


@cache
def _weights(run: Run, weights: Weights, base: str | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Hashes of the model and of the result in it."""
    if weights == "none":
        return (), ()
    model = run.read().content.model if base is None else other_model(run, base, {}).facts().fingerprint
    return (model,), (result_hash(run.result),) if weights == "tuned" else ()


def _writer(
    provenance: Provenance, folder: Path, asked: Mapping[str, Asked], method: Synthesis, how: How
) -> PictureWriter:
    """Each picture says what itself was made from."""

    def save(picture: Image.Image, file: Path) -> None:
        provenance.save(picture, file, made_by(asked[file.relative_to(folder).as_posix()], method, how))

    return provenance.writer(lambda: MadeBy((), ()))._replace(save=save)


def sampler_of(run: Run, asked: Asked, how: How) -> Sampler:
    usual = _usual(run)
    given: dict[str, Any] = {"steps": how.steps, "scheduler": how.scheduler, "negative_prompt": how.negative_prompt}
    changed = usual._replace(**{name: value for name, value in given.items() if value is not None})
    return changed._replace(guidance=float(changed.guidance if asked.guidance is None else asked.guidance))


@cache
def _usual(run: Run) -> Sampler:
    """How its model is usually sampled."""
    manifest = run.read()
    node = manifest.config.model.get("sampler", {})
    sampler: Sampler = rebuilt(node, "model.sampler", Sampler, manifest=run.manifest, trust=run.trust)
    return sampler


def _recipe(file: str, asked: Asked, method: Synthesis, how: How) -> Recipe:
    sampler = UNUSED if method.weights == "none" else sampler_of(asked.subject.run, asked, how)
    facts = {"source": method.name, "parent": asked.parent, "strength": asked.strength, "guidance": sampler.guidance}
    return Recipe(file, asked.prompt, asked.seed, sampler, asked.subject.size, facts)


def _label(asked: Sequence[Asked]) -> str:
    return f"Pictures of {', '.join(dict.fromkeys(one.subject.label for one in asked))}"


def _model(run: Run, method: Synthesis, how: How) -> Model | None:
    if method.weights == "none":
        return None
    loading = loading_to_draw(how.precision, how.device)
    if method.weights == "tuned":
        model = trained_model(run, scale=how.scale, base=how.base, loading=loading).model
    else:
        source = own_model(run, {}) if how.base is None else other_model(run, how.base, {})
        model = source.load_as(loading)
        model.cast_frozen(loading.dtype)
    model = model.to(how.device)
    merge_exactly(model.roles.values())
    return model


def _generate_with(method: Synthesis, asked: Mapping[str, Asked], model: Model | None) -> Generate:
    def generate(recipes: Sequence[Recipe]) -> list[Image.Image]:
        own = [asked[recipe.file] for recipe in recipes]
        drawn: list[Image.Image | None] = [None] * len(recipes)
        for numbers, beginning in _alike(method, own) if model is not None else ():
            assert model is not None
            height, width = recipes[0].size
            pictures = model.generate(
                [recipes[number].prompt for number in numbers],
                [recipes[number].seed for number in numbers],
                sampler=recipes[0].sampler,
                height=height,
                width=width,
                beginning=beginning,
            )
            for number, picture in zip(numbers, pictures, strict=True):
                drawn[number] = picture
        return [method.finished(*pair) for pair in zip(own, drawn, strict=True)]

    return generate


def _alike(method: Synthesis, asked: Sequence[Asked]) -> Iterator[tuple[list[int], Beginning | None]]:
    """The numbers of those that are drawn in one batch, which have the same number of steps, and what they begin
    with."""
    for strength in dict.fromkeys(one.strength for one in asked):
        numbers = [number for number, one in enumerate(asked) if one.strength == strength]
        begun = [method.beginning(asked[number]) for number in numbers]
        pictures = [one.picture for one in begun if one is not None]
        kept = [one.kept for one in begun if one is not None and one.kept is not None]
        yield numbers, Beginning(pictures, strength or 1.0, kept or None) if pictures else None
