"""How figures look, in files and inside pages: one palette for all colour vision, marks that differ in shape too."""

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Literal

import matplotlib
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from imprint.files import write_atomically, write_text

INK = "#010203"  # stands for the colour of text until a file is written
LIGHT_INK, DARK_INK, PAPER = "#23242a", "#e5e4e0", "#fbfaf7"
# After Okabe and Ito, whose eight colours are told apart by all; without their yellow and black, which vanish on paper
# or in the dark.
COLOURS = ("#0a7abf", "#d9641a", "#0b9e77", "#c86fa5", "#b98a00", "#56a8dd")
MARKS = ("o", "s", "D", "^", "v", "P", "X", "p")
ADAPTING = (
    f"<style>.imprint-figure{{color:{LIGHT_INK}}}"
    f"@media (prefers-color-scheme: dark){{.imprint-figure{{color:{DARK_INK}}}}}</style>"
)


def colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def mark(index: int) -> str:
    return MARKS[index % len(MARKS)]


@contextmanager
def styled() -> Iterator[None]:
    style = {
        "svg.hashsalt": "imprint",
        "svg.fonttype": "none",
        "font.family": "sans-serif",
        "font.size": 10,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.titlesize": 10.5,
        "axes.titlecolor": INK,
        "axes.edgecolor": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "legend.frameon": False,
        "text.parse_math": False,  # names may have dollars
    }
    with matplotlib.rc_context(style):
        yield


def quiet(axes: Axes, *, grid: Literal["both", "x", "y"]) -> None:
    """No frame, faint lines."""
    axes.patch.set_alpha(0)
    axes.tick_params(length=0)
    axes.grid(axis=grid, color=INK, alpha=0.13, linewidth=0.6)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """As SVG, whose ink follows the reader's light or dark page, and as PNG on paper."""
    svg, png = folder / f"{name}.svg", folder / f"{name}.png"
    figure.patch.set_alpha(0)
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    write_text(svg, _adapting(text.getvalue()))
    figure.patch.set_alpha(1)
    FigureCanvasAgg(figure)
    write_atomically(png, lambda file: figure.savefig(file, format="png", dpi=180, facecolor=PAPER))
    return [svg, png]


def _adapting(svg: str) -> str:
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    head, _, rest = svg.partition(">")
    return f'{head} class="imprint-figure">{ADAPTING}{rest}'


def inline(figure: Figure, *, label: str, labels: Mapping[Artist, str]) -> str:
    """`label` is what the figure shows, `labels` what is said of parts of it when they are pointed at."""
    figure.patch.set_alpha(0)
    for number, artist in enumerate(labels):
        artist.set_gid(f"label-{number}")
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    for number, text in enumerate(labels.values()):
        svg = svg.replace(f'<g id="label-{number}">', f'<g class="labelled"><title>{escape(text)}</title>')
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)  # the names of groups would be repeated in the next figure
    head, _, rest = svg.partition(">")
    head = re.sub(r' (?:width|height)="[^"]*"', "", head)
    return f'{head} role="img" aria-label="{escape(label)}">{rest}'
