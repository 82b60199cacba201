"""A figure as SVG inside a page: in the page's ink, as wide as its place, telling more where the pointer rests."""

import io
import re
from collections.abc import Mapping
from html import escape

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from imprint.reporting.scoreboard.style import INK


def inline(figure: Figure, *, label: str, told: Mapping[Artist, str]) -> str:
    """`label` is what the figure shows, `told` what is said of parts of it when they are pointed at."""
    figure.patch.set_alpha(0)
    for number, artist in enumerate(told):
        artist.set_gid(f"told-{number}")
    file = io.StringIO()
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    svg = file.getvalue()
    svg = svg[svg.index("<svg") :].replace(INK, "currentColor")
    for number, text in enumerate(told.values()):
        svg = svg.replace(f'<g id="told-{number}">', f'<g class="told"><title>{escape(text)}</title>')
    svg = re.sub(r'<g id="[^"]*">', "<g>", svg)  # the names of groups would be repeated in the next figure
    head, _, rest = svg.partition(">")
    head = re.sub(r' (?:width|height)="[^"]*"', "", head)
    return f'{head} role="img" aria-label="{escape(label)}">{rest}'
