"""Every subject on a line of its own: whether a mean comes from all of them or from a few."""

from matplotlib.figure import Figure

from imprint.reporting.scoreboard.board import Board
from imprint.reporting.scoreboard.columns import Column
from imprint.reporting.scoreboard.looks import looks
from imprint.reporting.scoreboard.style import INK, quiet


def subjects_figure(board: Board, column: Column) -> Figure:
    scores = {
        subject: {
            entry.label: found.mean
            for entry in board.entries
            if (found := board.score(entry.label, column.key, subject=subject))
        }
        for subject in board.subjects
    }
    contestants = {entry.label for entry in board.contestants}

    def order(subject: str) -> tuple[str, float]:
        own = [value for label, value in scores[subject].items() if label in contestants]
        return board.subjects[subject], -sum(own) / max(1, len(own))

    shown = sorted((subject for subject, own in scores.items() if contestants & set(own)), key=order)
    figure = Figure(figsize=(7.4, 1.5 + 0.23 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    for place, subject in enumerate(shown):
        own = scores[subject]
        among = [value for label, value in own.items() if label in contestants]
        axes.plot([min(among), max(among)], [place, place], color=INK, alpha=0.25, linewidth=1, zorder=1)
        if place and board.subjects[subject] != board.subjects[shown[place - 1]]:
            axes.axhline(place - 0.5, color=INK, alpha=0.35, linewidth=0.7, linestyle=(0, (4, 3)))
    for entry in board.entries:
        places = [
            (scores[subject][entry.label], place)
            for place, subject in enumerate(shown)
            if entry.label in scores[subject]
        ]
        if places:
            marker = looks(board)[entry.label].marker(6 if entry.role == "contestant" else 4)
            axes.plot(*zip(*places, strict=True), linestyle="", label=entry.label, zorder=3, **marker)
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_yticks(range(len(shown)), shown)
    axes.set_xlabel(column.heading)
    quiet(axes, grid="x")
    figure.legend(loc="outside upper center", ncols=4, fontsize=9, handletextpad=0.3, columnspacing=1.4)
    return figure
