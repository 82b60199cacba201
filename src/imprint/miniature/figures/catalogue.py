"""Which figure draws which class, and how its view and its accessory are chosen."""

from __future__ import annotations

from imprint.miniature.canvas import Pen
from imprint.miniature.figures import accessories, animals, belongings, containers, soft_things
from imprint.miniature.figures.engraving import PROFILE, engrave, where
from imprint.miniature.figures.sketch import Figure, Finish, Sketch
from imprint.miniature.scene import LIVE_NOUNS, Subject

FIGURES: dict[str, Figure] = {
    "backpack": belongings.backpack, "stuffed animal": soft_things.stuffed_animal, "bowl": containers.bowl,
    "can": containers.can, "candle": containers.candle, "cat": animals.cat, "clock": belongings.clock,
    "sneaker": belongings.sneaker, "dog": animals.dog, "toy": soft_things.toy, "boot": belongings.boot,
    "glasses": belongings.glasses, "cartoon": soft_things.cartoon, "teapot": containers.teapot,
    "vase": containers.vase,
}  # fmt: skip
WEARERS = {
    "dog": accessories.SITTING,
    "cat": accessories.SITTING,
    "stuffed animal": accessories.PLUSH,
    "cartoon": accessories.FLAT,
}
TURN = 0.14


def draw_figure(pen: Pen, who: Subject, view: str, accessory: str, finish: Finish) -> None:
    """Draws `who` as seen from `view`; only the classes in WEARERS can wear an accessory."""
    in_profile = view == "from the side" and who.noun in LIVE_NOUNS
    front = view != "from behind"
    sketch = Sketch(
        pen=pen, who=who, turn=TURN if view == "from the side" else 0.0, face=front, textured=finish.texture
    )
    if in_profile:
        animals.profile(sketch)
    else:
        FIGURES[who.noun](sketch)
    if finish.engraving and front:
        engrave(sketch, PROFILE if in_profile else where(who))
    if accessory:
        body = accessories.PROFILE if in_profile else WEARERS[who.noun]
        accessories.ACCESSORIES[accessory](pen, body, front)
