"""Reference pictures: what a user would have photographed, of a subject or in a style."""

from __future__ import annotations

from PIL import Image

from imprint.miniature.renderer import draw
from imprint.miniature.sampling import reference_count, reference_scenes, style_scenes
from imprint.miniature.scene import STYLES, UNSEEN_STYLES, Scene, Subject
from imprint.miniature.subjects import NAMED_SUBJECTS, named

STYLE_SET_SIZE = 24
# Folder names of the style sets, "style_oil_painting" and so on; "drawing" is no style of its own.
STYLE_SETS = {f"style_{style.replace(' ', '_')}": style for style in STYLES[1:] + UNSEEN_STYLES}
SETS = NAMED_SUBJECTS + tuple(STYLE_SETS)


def scenes(whom: str | Subject, count: int | None = None) -> list[Scene]:
    """The truth of each reference picture of an individual or of a set by its name; raises KeyError for another.

    `count` is None for as many as the set has; those of another number are other pictures.
    """
    if isinstance(whom, str) and whom in STYLE_SETS:
        return style_scenes(STYLE_SETS[whom], count or STYLE_SET_SIZE)
    who = named(whom) if isinstance(whom, str) else whom
    return reference_scenes(who, count or reference_count(who))


def references(whom: str | Subject) -> list[Image.Image]:
    """The reference pictures of an individual (four to six) or style set (24), always the same."""
    return [draw(scene) for scene in scenes(whom)]
