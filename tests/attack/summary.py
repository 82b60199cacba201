"""What came out: a line of JSON for each attack, and a table of all."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from kinds import KINDS

BEGIN, END = "<!-- attacked -->", "<!-- end -->"


@dataclass
class Attack:
    kind: str
    number: int
    seed: int
    moment: str = ""
    victim: str = ""
    struck: bool = False  # it was running when it was to be killed
    starts: int = 0  # of the same command, until it ended well
    finished: bool = False
    files: list[str] = field(default_factory=list)  # that differ from those of an uninterrupted run
    losses: float = 0.0  # the largest difference
    weights: float = 0.0
    unfinished: list[str] = field(default_factory=list)
    folders: int = 0  # temporary ones that are left
    living: int = 0  # processes that were left
    tracebacks: int = 0
    means: str = ""  # how the disk was made small
    seconds: float = 0.0


class Record:
    """Attacks are kept as they end, so that a stopped series goes on."""

    def __init__(self, file: Path) -> None:
        self.file = file
        lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
        self.attacks = [Attack(**json.loads(line)) for line in lines]

    def has(self, kind: str, number: int) -> bool:
        return any((attack.kind, attack.number) == (kind, number) for attack in self.attacks)

    def add(self, attack: Attack) -> None:
        self.attacks.append(attack)
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(attack)) + "\n")


def table(attacks: Sequence[Attack], skipped: Mapping[str, str]) -> str:
    """In Markdown."""
    heading = [
        "attacked",
        "attacks",
        "finished",
        "results equal in all bytes",
        "largest difference of a loss",
        "of a weight",
        "unfinished files left",
        "processes left",
        "stack traces",
    ]
    lines = [f"| {' | '.join(heading)} |", "|---|" + "---:|" * (len(heading) - 1)]
    for name, kind in KINDS.items():
        own = [attack for attack in attacks if attack.kind == name and attack.struck]
        if own:
            cells = [
                f"{name}: {kind.about}" + (f" ({own[0].means})" if own[0].means else ""),
                len(own),
                sum(attack.finished for attack in own),
                sum(attack.finished and not attack.files for attack in own),
                _number(max(attack.losses for attack in own)),
                _number(max(attack.weights for attack in own)),
                sum(len(attack.unfinished) + attack.folders for attack in own),
                sum(attack.living for attack in own),
                sum(attack.tracebacks for attack in own),
            ]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
        elif name in skipped:
            lines.append(f"| {name}: {kind.about} | 0, {skipped[name]} |" + " |" * (len(heading) - 2))
    return "\n".join(lines)


def write_page(page: Path, text: str) -> None:
    """Replaces the table between the page's two marks."""
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")


def _number(value: float) -> str:
    return "0" if value == 0 else "other files" if math.isinf(value) else f"{value:.1e}"
