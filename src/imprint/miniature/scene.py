"""The ground truth of a picture: who is in it, where, how, and seen from where."""

from __future__ import annotations

from dataclasses import dataclass, field

from imprint.miniature.palette import Colour

NOUNS = (
    "backpack", "stuffed animal", "bowl", "can", "candle", "cat", "clock", "sneaker",
    "dog", "toy", "boot", "glasses", "cartoon", "teapot", "vase",
)  # fmt: skip
LIVE_NOUNS = ("cat", "dog")

# Forms are the kinds of individuals within a class; a subject's form never changes.
FORMS: dict[str, tuple[str, ...]] = {
    "backpack": ("plain", "dog"),
    "stuffed animal": ("bear", "sloth", "wolf"),
    "bowl": ("berries", "empty"),
    "can": ("tall", "wide"),
    "candle": ("jar", "pillar"),
    "cat": ("slim", "fluffy"),
    "clock": ("alarm", "wall"),
    "sneaker": ("low", "high"),
    "dog": ("floppy", "pointed", "curly"),
    "toy": ("duck", "monster", "pile", "car", "robot"),
    "boot": ("heeled", "flat"),
    "glasses": ("round", "square"),
    "cartoon": ("imp", "blob"),
    "teapot": ("round", "tall"),
    "vase": ("bulb", "flute"),
}
PATTERNS = ("plain", "patches", "spots", "stripes", "bands", "zigzag")

STYLES = ("drawing", "oil painting", "pencil sketch", "pixel art", "watercolour")
UNSEEN_STYLES = ("blueprint", "risograph")  # never in pre-training: for style learning
VIEWS = ("front", "from the side", "from behind", "from above")
LIGHTS = ("day", "warm", "dim")


@dataclass(frozen=True)
class Subject:
    """One individual: everything that stays the same from picture to picture.

    `build` holds six numbers in [-1, 1] that stretch the class's own proportions; `mark` is where its
    asymmetric mark sits, (x, y) in [-1, 1], and `mark_colour` its colour.
    """

    name: str
    noun: str
    form: str
    main_name: str
    second_name: str
    main: Colour
    second: Colour
    accent: Colour
    pattern: str
    pattern_seed: int
    build: tuple[float, float, float, float, float, float]
    mark: tuple[float, float]
    mark_colour: Colour

    def __post_init__(self) -> None:
        assert self.noun in NOUNS, self.noun
        assert self.form in FORMS[self.noun], (self.noun, self.form)
        assert self.pattern in PATTERNS, self.pattern

    @property
    def is_live(self) -> bool:
        return self.noun in LIVE_NOUNS


@dataclass(frozen=True)
class Pose:
    """How the subject stands in the picture; lengths are shares of the picture's side."""

    x: float = 0.5
    y: float = 0.56
    scale: float = 0.33
    angle: float = 0.0
    mirrored: bool = False


@dataclass(frozen=True)
class Scene:
    """A picture's whole truth: equal scenes give equal pixels.

    `place` is a key of `places.PLACES`; `attribute` is "" or a key of `attributes.PROPERTIES` or
    `attributes.ACCESSORIES`; `seed` varies only what has no name (clouds, leaves, crowds).
    """

    subject: Subject
    place: str
    attribute: str = ""
    style: str = "drawing"
    view: str = "front"
    light: str = "day"
    pose: Pose = field(default_factory=Pose)
    seed: int = 0

    def __post_init__(self) -> None:
        assert self.style in STYLES + UNSEEN_STYLES, self.style
        assert self.view in VIEWS, self.view
        assert self.light in LIGHTS, self.light
