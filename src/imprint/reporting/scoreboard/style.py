"""The style of figures, in files and inside pages: a palette for all colour vision, marks that differ in shape too."""

import io
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Literal

import matplotlib
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.markers import MarkerStyle

from imprint.files import write_atomically, write_text

INK = "#010203"  # replaced by the colour of text when a file is written
LIGHT_INK, DARK_INK, PAPER = "#23242a", "#e5e4e0", "#fbfaf7"
# After Okabe and Ito, whose eight colours are distinct for all colour vision; without their yellow and black, which
# are invisible on a light or a dark page.
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


def outline(mark: str, size: float = 4.5) -> str:
    """The mark as a path of SVG around 0, 0, `size` from its middle to its edge."""
    style = MarkerStyle(mark)
    [corners] = style.get_path().transformed(style.get_transform()).to_polygons()
    corners = corners / np.abs(corners).max() * size
    return f"M{'L'.join(f'{x:.1f} {-y:.1f}' for x, y in corners)}Z"


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


@contextmanager
def single_axes(width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    """A figure with one pair of axes, in inches; to be finished within."""
    with styled():
        figure = Figure(figsize=(width, height), layout="constrained")
        yield figure, figure.add_subplot()


def quiet(axes: Axes, *, grid: Literal["both", "x", "y"]) -> None:
    """No frame, faint lines."""
    axes.patch.set_alpha(0)
    axes.tick_params(length=0)
    axes.grid(axis=grid, color=INK, alpha=0.13, linewidth=0.6)
    axes.set_axisbelow(True)
    for spine in axes.spines.values():
        spine.set_visible(False)


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """As SVG, whose text follows the reader's light or dark page, and as PNG on a light ground."""
    svg, png = folder / f"{name}.svg", folder / f"{name}.png"
    head, rest = _svg(figure)
    write_text(svg, f'{head} class="imprint-figure">{ADAPTING}{rest}')
    figure.patch.set_alpha(1)
    FigureCanvasAgg(figure)
    write_atomically(png, lambda file: figure.savefig(file, format="png", dpi=180, facecolor=PAPER))
    return [svg, png]


def inline(
    figure: Figure, *, label: str, labels: Mapping[Artist, str], runs: Mapping[Artist, Collection[str]] | None = None
) -> str:
    """`label` is what the figure shows, `labels` the tooltips of its parts, `runs` the names of those that a part
    belongs to: it is hidden with them."""
    parts = list(dict.fromkeys([*labels, *(runs or {})]))
    for number, artist in enumerate(parts):
        artist.set_gid(f"label-{number}")
    head, rest = _svg(figure)
    for number, artist in enumerate(parts):
        own = (runs or {}).get(artist, ())
        of_runs = f' data-runs="{escape(" ".join(own))}"' if own else ""
        title = (
            f' class="labelled"{of_runs}><title>{escape(labels[artist])}</title>' if artist in labels else f"{of_runs}>"
        )
        rest = rest.replace(f'<g id="label-{number}">', f"<g{title}")
    rest = re.sub(r'<g id="[^"]*">', "<g>", rest)  # ids must be unique in a page, and the next figure has the same
    head = re.sub(r' (?:width|height)="[^"]*"', "", head)
    return f'{head} role="img" aria-label="{escape(label)}">{rest}'


def _svg(figure: Figure) -> tuple[str, str]:
    """The opening tag without its last bracket, and what follows it."""
    figure.patch.set_alpha(0)
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    head, _, rest = svg[svg.index("<svg") :].replace(INK, "currentColor").partition(">")
    return head, rest
