"""Several subjects in one run."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from imprint.data.dataset import Dataset
from imprint.kinds import KIND, of_kind

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
WORDS = ("identifier", "noun")  # what prompts mean by these is no subject


@of_kind("dataset/joint")
@dataclass(kw_only=True)
class JointDataset:
    """Subjects that are learned together, each from its own pictures, by name. Prompts say {name.identifier}."""

    not_in_identity: ClassVar[frozenset[str]] = frozenset({KIND})

    subjects: dict[str, Dataset]

    def __post_init__(self) -> None:
        wrong = []
        if not self.subjects:
            wrong.append("subjects={}: give at least one, for instance +dataset@dataset.subjects.a=mini/dog6.")
        for name in self.subjects:
            if not NAME.fullmatch(name) or name in WORDS:
                wrong.append(f"subjects.{name}: no name for a subject. Use letters and digits, as in a or my_dog.")
        crops = {name: dataset.crop for name, dataset in self.subjects.items()}
        if len(set(crops.values())) > 1:
            wrong.append(f"subjects: the samples of a step share a size, so every crop must be the same, not {crops}.")
        if wrong:
            raise ValueError("\n".join(wrong))

    @property
    def members(self) -> Mapping[str, Dataset]:
        return self.subjects
