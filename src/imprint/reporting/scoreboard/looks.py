"""Which colour and mark each entry has, the same in every figure of a board."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from imprint.reporting.scoreboard.board import Board
from imprint.reporting.scoreboard.style import COLOURS, INK, colour, mark

REFERENCE_MARKS = {"untuned": "o", "prompt_only": "s", "real": "D", "copies": "^"}


class Look(NamedTuple):
    colour: str
    mark: str
    filled: bool

    def marker(self, size: float) -> dict[str, Any]:
        """Arguments of a plot of one point."""
        return {
            "marker": self.mark,
            "markersize": size,
            "color": self.colour,
            "markerfacecolor": self.colour if self.filled else "none",
            "markeredgecolor": self.colour,
            "markeredgewidth": 1.2,
            "alpha": 1.0 if self.filled else 0.65,
        }


def looks(board: Board) -> Mapping[str, Look]:
    """A contestant has a colour of its own; where there are more than colours, its method has one.

    Of many contestants of one method, each has its own pair of a colour and a mark.
    """
    methods = list(dict.fromkeys(entry.method for entry in board.contestants))
    many = len(board.contestants) > len(COLOURS) and len(methods) > 1
    found: dict[str, Look] = {}
    for place, entry in enumerate(board.contestants):
        same = [other.label for other in board.contestants if other.method == entry.method]
        number = methods.index(entry.method) if many else place
        found[entry.label] = Look(colour(number), mark(same.index(entry.label) if many else place), True)
    for entry in board.entries:
        if entry.role != "contestant":
            found[entry.label] = Look(INK, REFERENCE_MARKS[entry.row], False)
    return found
