"""What every figure is drawn with: the pen, the individual, and the side of it that we see."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from imprint.miniature.canvas import Pen, Point, ellipse_points, rounded_points, smooth_points, stream
from imprint.miniature.figures.textures import paint_texture
from imprint.miniature.palette import Colour, darker, lighter
from imprint.miniature.scene import Subject

INK: Colour = (38, 34, 46)
WHITE: Colour = (252, 252, 250)


@dataclass(frozen=True)
class Finish:
    """Which detail a figure is given that only a large picture can show."""

    texture: bool
    engraving: bool


@dataclass(frozen=True)
class Sketch:
    """A figure in the making, in the square [-1, 1] x [-1, 1] with its feet at y = 1.

    `turn` shifts what is on its front sideways; `face` is False when we stand behind it.
    """

    pen: Pen
    who: Subject
    turn: float
    face: bool
    textured: bool

    def stretch(self, which: int, low: float, high: float) -> float:
        """One of the individual's proportions, between `low` and `high`."""
        return low + (high - low) * (self.who.build[which] + 1) / 2

    def coat(self, outline: Sequence[Point], *, shade: bool = True) -> None:
        """A part in the individual's main colour and pattern, with a shaded lower edge."""
        self.pen.poly(outline, self.who.main)
        self.pen.clipped(outline, self._pattern)
        if self.textured:
            paint_texture(self.pen, self.who, outline)
        if shade:
            self.pen.clipped(outline, lambda pen: self._shade(pen, outline))

    def coat_ellipse(self, cx: float, cy: float, rx: float, ry: float) -> None:
        self.coat(ellipse_points(cx, cy, rx, ry))

    def coat_box(self, x0: float, y0: float, x1: float, y1: float, r: float) -> None:
        self.coat(rounded_points(x0, y0, x1, y1, r))

    def coat_soft(self, corners: Sequence[Point]) -> None:
        self.coat(smooth_points(corners))

    def _shade(self, pen: Pen, outline: Sequence[Point]) -> None:
        left, right = min(x for x, _ in outline), max(x for x, _ in outline)
        top, bottom = min(y for _, y in outline), max(y for _, y in outline)
        band = 0.14 * (bottom - top)
        dark = darker(self.who.main, 0.22)
        pen.soft([(left - 0.1, bottom + 0.2), (left - 0.1, bottom - 0.5 * band),
                  ((left + right) / 2, bottom - 1.6 * band + 0.1), (right + 0.1, bottom - 2.4 * band),
                  (right + 0.1, bottom + 0.2)], dark)  # fmt: skip

    def _pattern(self, pen: Pen) -> None:
        rng = stream("pattern", self.who.pattern_seed)
        second = self.who.second
        match self.who.pattern:
            case "patches":
                for _ in range(5):
                    pen.ellipse(rng.uniform(-0.9, 0.9), rng.uniform(-0.9, 0.9), rng.uniform(0.18, 0.36),
                                rng.uniform(0.16, 0.3), second, rng.uniform(0, 90))  # fmt: skip
            case "spots":
                size, step = rng.uniform(0.08, 0.12), rng.uniform(0.34, 0.42)
                for row in range(-3, 4):
                    for col in range(-3, 4):
                        pen.ellipse((col + (row % 2) / 2) * step, row * step, size, size, second)
            case "stripes":
                lean, step = rng.uniform(-0.35, 0.35), rng.uniform(0.36, 0.5)
                for i in range(-4, 5):
                    pen.line([(i * step + lean, -1.2), (i * step - lean, 1.2)], step * 0.42, second)
            case "bands":
                at, width = rng.uniform(-0.1, 0.3), rng.uniform(0.12, 0.2)
                pen.box(-1.3, at, 1.3, at + width, second)
                pen.box(-1.3, at + 2.1 * width, 1.3, at + 2.7 * width, self.who.accent)
            case "zigzag":
                at, high = rng.uniform(-0.1, 0.4), rng.uniform(0.12, 0.2)
                pen.line([(-1.2 + i * 0.24, at + (high if i % 2 else -high)) for i in range(11)], 0.13, second)

    def mark(self, cx: float, cy: float, reach: float, size: float = 0.13) -> None:
        """The individual's own mark on the front of a part centred at (cx, cy)."""
        if self.face:
            x, y = cx + reach * self.who.mark[0] + self.turn, cy + reach * self.who.mark[1]
            self.pen.ellipse(x, y, size, size, self.who.mark_colour)
            self.pen.ellipse(x, y, size * 0.45, size * 0.45, lighter(self.who.mark_colour, 0.6))

    def eyes(self, cy: float, apart: float, size: float, *, white: bool = False) -> None:
        if not self.face:
            return
        for x in (-apart + self.turn, apart + self.turn):
            if white:
                self.pen.ellipse(x, cy, size * 1.7, size * 1.7, WHITE)
            self.pen.ellipse(x, cy, size, size * 1.1, INK)
            self.pen.ellipse(x - size * 0.3, cy - size * 0.4, size * 0.35, size * 0.35, WHITE)


Figure = Callable[[Sketch], None]
