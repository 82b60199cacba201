"""A subject's reference pictures: what a user would have photographed."""

from __future__ import annotations

from PIL import Image

from imprint.miniature.renderer import draw
from imprint.miniature.sampling import reference_count, reference_scenes
from imprint.miniature.scene import Scene
from imprint.miniature.subjects import named


def scenes(subject_name: str) -> list[Scene]:
    who = named(subject_name)
    return reference_scenes(who, reference_count(who))


def references(subject_name: str) -> list[Image.Image]:
    """The four to six reference pictures of a named subject, always the same."""
    return [draw(scene) for scene in scenes(subject_name)]
