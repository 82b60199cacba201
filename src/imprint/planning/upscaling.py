"""What an upscaler cannot be taught with: it learns from pairs of a picture and its small version."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from imprint.data.framing import Framing
from imprint.data.pictures import PictureSet
from imprint.data.prior import GeneratedPrior
from imprint.data.reading import open_folder
from imprint.errors import Problem, UserError
from imprint.evaluation.profile import Profile
from imprint.kinds import kind_of
from imprint.models.base import is_text
from imprint.models.facts import ModelInfo
from imprint.planning.subjects import Subject

WORDS = "what an upscaler adds comes from the picture beside the words, and words hold no pixels"


def wrong_profile(profile: Profile, facts: ModelInfo) -> Problem | None:
    """What is wrong where an upscaler is to be judged by what prompts draw, or another model by what it enlarges."""
    if facts.upscaling is not None and not profile.compares_pairs:
        remedy = "its pictures are drawn from prompts alone, and an upscaler needs one to enlarge. Choose upscaling."
        return Problem("evaluation", profile.name, remedy)
    if facts.upscaling is None and profile.compares_pairs:
        return Problem("evaluation", profile.name, "it is for upscalers, which enlarge photos. Choose another.")
    return None


def open_others(profile: Profile, size: tuple[int, int], problems: list[Problem | str]) -> PictureSet | None:
    """The pictures of other things that the profile names, to be enlarged to this height and width. What is wrong is
    added to the problems."""
    if profile.others is None:
        return None
    key = "evaluation.others"
    try:
        pictures = open_folder(profile.others, key=key, bad_pictures="strict", background="white")
    except UserError as error:
        problems.extend(str(error).splitlines())
        return None
    height, width = size
    if small := [own.key for own in pictures.pictures if own.size[0] < width or own.size[1] < height]:
        remedy = (
            f"{', '.join(small)}: smaller than {width} x {height} pixels, so what is true of the large picture is not "
            "known. Give larger ones, leave these out, or choose a lower evaluation.size."
        )
        problems.append(Problem(key, profile.others, remedy))
    return pictures


def problems(
    part: Mapping[str, Any], facts: ModelInfo, subjects: Sequence[Subject], framings: Sequence[Framing]
) -> Iterator[Problem | str]:
    """Keys are absolute. Skips parts that could not be built."""
    if part.get("evaluation") and (wrong := wrong_profile(part["evaluation"], facts)):
        yield wrong
    if facts.upscaling is None:
        return
    if part.get("evaluation"):
        found: list[Problem | str] = []
        open_others(part["evaluation"], part["evaluation"].size or (facts.resolution, facts.resolution), found)
        yield from found
    if part.get("method"):
        yield from _words_that_learn(part["method"], facts)
    if isinstance(part.get("prior"), GeneratedPrior):
        remedy = (
            "an upscaler draws no pictures of a class, and those of another model have no true detail to learn from. "
            "Choose prior=folder with large photos, prior=base_prediction or prior=none."
        )
        yield Problem("prior", "generated", remedy)
    for subject, framing in zip(subjects, framings, strict=False):
        yield from _small(subject.pictures, framing, facts)
        if part.get("evaluation") and subject.dataset.holdout and (held_out := subject.dataset.held_out()):
            yield from _small(held_out, framing, facts)
    if part.get("prior") and framings:
        try:
            photographs = part["prior"].photographs()
        except UserError:  # of which the prior's identity tells
            photographs = ()
        for pictures in photographs:
            yield from _small(pictures, framings[0], facts)


def _words_that_learn(method: Any, facts: ModelInfo) -> Iterator[Problem]:
    if any(is_text(role) for role in method.changed_roles(facts)):
        roles = getattr(method, "roles", None)
        name = (kind_of(type(method)) or type(method).__name__).rpartition("/")[2]
        key, value = ("method", name) if roles is None else ("method.roles", roles)
        remedy = "roles=[denoiser]" if roles is not None else "method=dreambooth or adapters (method=lora)"
        yield Problem(key, value, f"{WORDS}. Let the denoiser learn: {remedy}.")


def _small(pictures: PictureSet, framing: Framing, facts: ModelInfo) -> Iterator[str]:
    """An enlarged picture has no detail to learn."""
    if names := framing.too_small(pictures.pictures):
        yield (
            f"model.resolution={facts.resolution}: {', '.join(names)} would have to be enlarged to that, and an "
            "upscaler would learn to draw blurred pictures. Give larger ones, leave these out, or choose a lower "
            "resolution."
        )
