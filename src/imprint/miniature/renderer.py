"""Draws a scene: the one place where backdrop, figure, attribute, light and style come together."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image, ImageChops, ImageDraw, ImageOps

from imprint.miniature.canvas import FRAME, SIZE, SUPERSAMPLING, Pen, Placement, enlargement
from imprint.miniature.figures.accessories import ACCESSORIES
from imprint.miniature.figures.catalogue import draw_figure
from imprint.miniature.figures.sketch import Finish
from imprint.miniature.fine_detail import unseen_when_small
from imprint.miniature.palette import Colour
from imprint.miniature.places import paint_place
from imprint.miniature.properties import cube, puddle, recoloured, shiny, wet
from imprint.miniature.scene import Scene
from imprint.miniature.styles import STYLISTS

FLOATING: dict[str, Colour] = {"water": (62, 140, 200), "milk": (248, 244, 236)}
PLAIN, DETAILED = Finish(texture=False, engraving=False), Finish(texture=True, engraving=True)
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
TINTS = {"warm": (255, 232, 206), "dim": (196, 202, 222)}


def draw(scene: Scene, size: int = SIZE) -> Image.Image:
    """The true picture of `scene`: RGB, `size` x `size`, equal for equal scenes.

    Above SIZE it also shows what smaller pictures cannot: fur, weave, and the individual's engraving.
    """
    canvas = _canvas("RGB", size)
    frame = Pen(canvas, FRAME)
    paint_place(frame, scene.place, scene.seed)
    if scene.view == "from above":
        # Looking down, the ground fills more of the frame.
        canvas.paste(
            canvas.crop((0, round(0.28 * canvas.height), *canvas.size)).resize(canvas.size, Image.Resampling.BILINEAR)
        )
    placement = _placement(scene)
    figure = draw_alone(scene, size)
    if scene.place == "mirror":
        _reflect(canvas, figure, placement)
    elif scene.place not in FLOATING:
        _shadow(canvas, placement, scene)
    if scene.attribute == "wet" and scene.place not in FLOATING:
        puddle(frame, placement)
    canvas.paste(figure, mask=figure)
    if scene.place in FLOATING:
        colour = FLOATING[scene.place]
        ring = tuple(min(255, c + 70) if scene.place == "water" else c - 34 for c in colour)
        _waterline(canvas, placement, colour, (ring[0], ring[1], ring[2]))
    if scene.light in TINTS:
        canvas = ImageChops.multiply(canvas, Image.new("RGB", canvas.size, TINTS[scene.light]))
    picture = canvas.reduce(SUPERSAMPLING)
    assert picture.size == (size, size)
    return STYLISTS[scene.style](picture, scene.seed) if scene.style in STYLISTS else picture


def draw_alone(scene: Scene, size: int = SIZE) -> Image.Image:
    """The subject cut out (RGBA, SUPERSAMPLING times `size` on a side): what stays the same from place to place."""
    layer = _figure(scene, size, PLAIN)
    if size > SIZE:
        layer = unseen_when_small(layer, _figure(scene, size, DETAILED))
    if scene.attribute == "shiny":
        layer = shiny(layer)
    elif scene.attribute == "wet":
        layer = wet(layer, scene.seed)
    return layer


def draw_empty(place: str, seed: int, size: int = SIZE) -> Image.Image:
    """The place alone, RGB, `size` x `size`."""
    canvas = _canvas("RGB", size)
    paint_place(Pen(canvas, FRAME), place, seed)
    return canvas.reduce(SUPERSAMPLING)


def mask(scene: Scene, size: int = SIZE) -> Image.Image:
    """Which pixels of `draw(scene, size)` show the subject, with what it wears: grey, white where it is."""
    return _shown(scene, draw_alone(scene, size).getchannel("A"))


def engraving_mask(scene: Scene, size: int) -> Image.Image:
    """Which pixels of `draw(scene, size)` show strokes of the subject's engraving: grey, white where they are.

    Black where it cannot be seen: in a picture of SIZE, from behind, and below clothes or water.
    """
    finishes = (PLAIN, replace(PLAIN, engraving=size > SIZE))
    plain, engraved = (_figure(scene, size, finish).convert("RGB") for finish in finishes)
    red, green, blue = ImageChops.difference(plain, engraved).split()
    strokes = ImageChops.lighter(ImageChops.lighter(red, green), blue).point([0] + 255 * [255])
    return _shown(scene, strokes)


def _figure(scene: Scene, size: int, finish: Finish) -> Image.Image:
    layer = _canvas("RGBA", size)
    placement = _placement(scene)
    who = recoloured(scene.subject, scene.attribute)
    if scene.attribute == "cube shaped":
        placement = cube(Pen(layer, placement), who)
    accessory = scene.attribute if scene.attribute in ACCESSORIES else ""
    draw_figure(Pen(layer, placement), who, scene.view, accessory, finish)
    return layer


def _canvas(mode: str, size: int) -> Image.Image:
    """Black, or nothing at all where there is an alpha channel."""
    return Image.new(mode, (size * SUPERSAMPLING, size * SUPERSAMPLING))


def _shown(scene: Scene, part: Image.Image) -> Image.Image:
    """What the scene shows of `part` of the cut-out figure, of its own size: grey, white where it is."""
    canvas = Image.new("RGB", part.size)
    canvas.paste(WHITE, mask=part)
    if scene.place in FLOATING:
        _waterline(canvas, _placement(scene), BLACK, BLACK)
    return canvas.convert("L").reduce(SUPERSAMPLING)


def _placement(scene: Scene) -> Placement:
    p = scene.pose
    squash = 0.74 if scene.view == "from above" else 1.0
    place = Placement(x=p.x, y=p.y, scale=p.scale, angle=p.angle, mirrored=p.mirrored, squash=squash)
    # What a hat adds on top, the whole figure gives back, so that it stays inside the frame.
    if scene.attribute in ACCESSORIES:
        place = replace(place, scale=p.scale * 0.88, y=p.y + p.scale * 0.12)
    return place


def _shadow(canvas: Image.Image, at: Placement, scene: Scene) -> None:
    mask = Image.new("L", canvas.size, 0)
    pixels = canvas.width
    x, y, r = at.x * pixels, (at.y + at.scale * at.squash * 0.95) * pixels, at.scale * pixels
    deep = 0.3 if scene.view == "from above" else 0.16
    ImageDraw.Draw(mask).ellipse((x - 0.9 * r, y - deep * r, x + 1.05 * r, y + deep * r), fill=80)
    canvas.paste((30, 26, 60), mask=mask)


def _reflect(canvas: Image.Image, figure: Image.Image, at: Placement) -> None:
    flipped, pixels = ImageOps.flip(figure), canvas.width
    base = round((at.y + at.scale * at.squash * 0.97) * pixels)
    glass = Image.new("L", canvas.size, 0)
    ImageDraw.Draw(glass).ellipse((0.04 * pixels, 0.66 * pixels, 0.96 * pixels, pixels), fill=130)
    shifted = ImageChops.offset(flipped.getchannel("A"), 0, 2 * base - pixels)
    shifted.paste(0, (0, 0, pixels, max(0, base - round(2 * enlargement(pixels)))))
    canvas.paste(
        ImageChops.offset(flipped, 0, 2 * base - pixels).convert("RGB"),
        mask=ImageChops.multiply(shifted, glass),
    )


def _waterline(canvas: Image.Image, at: Placement, colour: Colour, ring: Colour) -> None:
    """The surface hides the figure's lowest part and rings it."""
    pen = Pen(canvas, FRAME)
    y = at.y + at.scale * at.squash * 0.66
    pen.ellipse(at.x, y + 0.03, at.scale * 1.35, at.scale * 0.2, ring)
    pen.ellipse(at.x, y + 0.05, at.scale * 1.28, at.scale * 0.2, colour)
    pen.box(
        at.x - at.scale * 1.25,
        y + 0.06,
        at.x + at.scale * 1.25,
        min(1.0, y + at.scale * 0.5 + 0.02),
        colour,
        0.08,
    )
