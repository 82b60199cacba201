"""What an individual can be for once: red, purple, shiny, wet, cube shaped."""

from __future__ import annotations

from dataclasses import replace

from PIL import Image, ImageChops, ImageDraw, ImageFilter

from imprint.miniature.canvas import Pen, Placement, enlargement, stream
from imprint.miniature.palette import COLOURS, darker, lighter, mix
from imprint.miniature.scene import Subject

PROPERTIES = ("red", "purple", "shiny", "wet", "cube shaped")


def recoloured(who: Subject, attribute: str) -> Subject:
    """The same individual in another colour: its light and dark parts stay told apart."""
    if attribute not in ("red", "purple"):
        return who
    paint = COLOURS[attribute]
    return replace(who, main=mix(who.main, paint, 0.88), second=mix(mix(who.second, paint, 0.4), (255, 255, 255), 0.15))


def shiny(figure: Image.Image) -> Image.Image:
    """Bright diagonal reflections and sparkles, on the figure only."""
    left, top, right, bottom = figure.getbbox() or (0, 0, *figure.size)
    w, h = right - left, bottom - top
    glow = Image.new("L", figure.size, 0)
    draw = ImageDraw.Draw(glow)
    for at, width in ((0.2, 0.13), (0.42, 0.05), (0.72, 0.09)):
        x = left + at * w
        draw.polygon(
            [
                (x + 0.2 * w, top),
                (x + (0.2 + width) * w, top),
                (x + (width - 0.12) * w, bottom),
                (x - 0.12 * w, bottom),
            ],
            fill=185,
        )
    alpha = figure.getchannel("A")
    out = figure.copy()
    soft = glow.filter(ImageFilter.GaussianBlur(1.5 * enlargement(figure.width)))
    out.paste((255, 255, 255, 255), mask=ImageChops.multiply(soft, alpha))
    draw = ImageDraw.Draw(out)
    for x, y, size in ((0.82, 0.12, 0.13), (0.14, 0.3, 0.09)):
        cx, cy, r = left + x * w, top + y * h, size * max(w, h)
        draw.polygon(
            [
                (cx, cy - r),
                (cx + r / 4, cy - r / 4),
                (cx + r, cy),
                (cx + r / 4, cy + r / 4),
                (cx, cy + r),
                (cx - r / 4, cy + r / 4),
                (cx - r, cy),
                (cx - r / 4, cy - r / 4),
            ],
            fill=(255, 255, 255, 255),
        )
    return out


def wet(figure: Image.Image, seed: int) -> Image.Image:
    """Darker, with drops running down."""
    alpha = figure.getchannel("A")
    out = Image.blend(figure, Image.new("RGBA", figure.size, (30, 60, 110, 255)), 0.26)
    layer, rng = out.copy(), stream("wet", seed)
    draw = ImageDraw.Draw(layer)
    left, top, right, bottom = figure.getbbox() or (0, 0, *figure.size)
    times = enlargement(figure.width)
    for _ in range(13):
        x, y, r = rng.uniform(left, right), rng.uniform(top, bottom), times * rng.uniform(3.5, 5.5)
        draw.polygon([(x, y - 2.2 * r), (x + r, y), (x - r, y)], fill=(190, 228, 255, 255))
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(190, 228, 255, 255))
    out = layer
    out.putalpha(alpha)
    return out


def puddle(pen: Pen, placement: Placement) -> None:
    y = placement.y + placement.scale * 0.98
    pen.ellipse(placement.x, y, placement.scale * 1.25, placement.scale * 0.22, (128, 182, 224))
    pen.ellipse(placement.x - 0.05, y - 0.01, placement.scale * 0.7, placement.scale * 0.08, (186, 220, 244))


def cube(pen: Pen, who: Subject) -> Placement:
    """Draws the block in the individual's colours; returns where on its front face the figure belongs."""
    front, back = 0.56, 0.42
    pen.poly(
        [(-1.0, -0.46), (-1.0 + back, -0.46 - back), (0.56 + back, -0.46 - back), (front, -0.46)],
        lighter(who.main, 0.3),
    )
    pen.poly(
        [(front, -0.46), (front + back, -0.46 - back), (front + back, 1.0 - back), (front, 1.0)],
        darker(who.main, 0.35),
    )
    pen.box(-1.0, -0.46, front, 1.0, who.main)
    pen.box(-0.9, -0.36, front - 0.1, 0.9, mix(who.main, who.second, 0.5))
    p = pen.placement
    (cx, cy) = p.to_pixels([(-0.22, 0.27)], pen.pixels)[0]
    return replace(p, x=cx / pen.pixels, y=cy / pen.pixels, scale=p.scale * 0.66)
