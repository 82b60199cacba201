"""What a study has come to, as its files, its page and its tracker take it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any

from imprint.study.arms import Arm, family_of
from imprint.study.calibration import Curve, calibration
from imprint.study.cells import Cell, Result
from imprint.study.costs import ArmCost, arm_costs
from imprint.study.examples import Material
from imprint.study.scores import Board
from imprint.study.tables import by_subject, further_tables, headlines, main_table
from imprint.tables.table import Table

OUTPUTS = "outputs"  # where runs usually are


@dataclass(frozen=True, kw_only=True)
class Findings:
    folder: Path
    material: Material
    arms: Mapping[str, Arm]
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
    def subject_tables(self) -> list[Table]:
        return [by_subject(board) for board in self.boards]

    @cached_property
    def calibration(self) -> list[Curve]:
        return calibration(self.done)

    @cached_property
    def costs(self) -> dict[str, ArmCost]:
        near = [self.folder.parent, Path(OUTPUTS), *(one.folder.folder.parent for one in self.material.sets)]
        return arm_costs(self.boards, self.arms, self.material, self.shots, near=near)

    @cached_property
    def families(self) -> dict[str, list[str]]:
        """Arms that differ by how many pictures they have, by the name of the one with all."""
        found: dict[str, list[str]] = {}
        for name, arm in self.arms.items():
            found.setdefault(family_of(name, arm), []).append(name)
        return found

    def pictures(self, shots: int) -> dict[str, float]:
        """Of each arm: how many there are beside the photos, of a subject on average."""
        return {
            name: fmean(len(own) for own in arm.pictures(self.material, shots).values())
            for name, arm in self.arms.items()
        }
