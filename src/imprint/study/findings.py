"""What a study has come to, as its files, its page and its tracker take it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from imprint.study.arms import Arm, Member
from imprint.study.calibration import Sureness, calibration
from imprint.study.cells import Cell, Result
from imprint.study.costs import ArmCost, arm_costs
from imprint.study.curves import Curve, Worth, curves, worths
from imprint.study.examples import Material
from imprint.study.scores import Board
from imprint.study.tables import by_shift, by_subject, further_tables, headlines, main_table
from imprint.tables.table import Table

OUTPUTS = "outputs"  # where runs usually are


@dataclass(frozen=True, kw_only=True)
class Findings:
    folder: Path
    material: Material
    arms: Mapping[str, Arm]
    members: Mapping[str, Member]
    shots: Sequence[int]
    seeds: Sequence[int]
    against: str
    ceiling: str
    done: Sequence[tuple[Cell, Result]]
    boards: Sequence[Board]
    about: Mapping[str, Any]  # facts and remarks to read, and what else study.json says

    @cached_property
    def headlines(self) -> list[str]:
        return headlines(self.boards, against=self.against, ceiling=self.ceiling)

    @cached_property
    def main_tables(self) -> list[Table]:
        return [main_table(board, against=self.against, ceiling=self.ceiling) for board in self.boards]

    @cached_property
    def further_tables(self) -> list[Table]:
        return [
            table
            for board in self.boards
            for table in further_tables(board, against=self.against, ceiling=self.ceiling)
        ]

    @cached_property
    def shift_tables(self) -> list[Table]:
        return [by_shift(board) for board in self.boards if board.shifts]

    @cached_property
    def subject_tables(self) -> list[Table]:
        return [by_subject(board) for board in self.boards]

    @cached_property
    def calibration(self) -> list[Sureness]:
        return calibration(self.done)

    @cached_property
    def costs(self) -> dict[str, ArmCost]:
        near = [self.folder.parent, Path(OUTPUTS), *(one.folder.folder.parent for one in self.material.sets)]
        return arm_costs(self.boards, self.arms, self.material, self.shots, near=near)

    @cached_property
    def pictures(self) -> dict[tuple[str, int], float]:
        """By arm and shots: how many there are beside the photos, of a subject on average."""
        return {
            (name, few): fmean(len(own) for own in arm.pictures(self.material, few).values())
            for name, arm in self.arms.items()
            for few in self.shots
        }

    @cached_property
    def curves(self) -> list[Curve]:
        return list(curves(self.boards, self.members, self.pictures, against=self.against))

    @cached_property
    def worths(self) -> list[Worth]:
        """How many photos the arms' pictures are worth."""
        return list(worths(self.boards, self.pictures, against=self.against))

    @property
    def whole(self) -> list[str]:
        """The arms with all of their pictures."""
        return [name for name, member in self.members.items() if member.pictures is None]
