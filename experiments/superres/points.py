"""What the experiment on upscalers is made of: whom it tunes on, and how."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from imprint.miniature.subjects import class_noun

SUBJECTS = ("dog6", "cat2", "bear_plushie", "backpack", "teapot", "shiny_sneaker", "vase", "monster_toy")
METHODS = ("lora", "dreambooth")
LEVELS = (0, 20, 100)
LOW_SIDES = ("photo", "autoencoder")
SEEDS = (0, 1, 2)
BASE = "pkg://imprint.miniature/weights"  # whose pictures are enlarged, and through whose autoencoder they come


@dataclass(frozen=True)
class Point:
    subject: str
    method: str
    level: int
    low_side: str
    seed: int

    @property
    def name(self) -> str:
        return f"{self.subject}-{self.method}-{self.level}-{self.low_side}-{self.seed}"

    def settings(self, world: str, extra: Sequence[str]) -> list[str]:
        """As `imprint train` takes them."""
        base = BASE if self.low_side == "autoencoder" else "null"
        return [
            "experiment=superres",
            f"method={self.method}",
            f"dataset.path={world}/dataset/{self.subject}",
            f"dataset.class_noun={class_noun(self.subject)}",
            f"model.low_res={{from:{self.low_side},base:{base},level:{self.level}}}",
            f"seed={self.seed}",
            *extra,
        ]


def points(
    subjects: Sequence[str],
    seeds: Sequence[int],
    *,
    methods: Sequence[str] = METHODS,
    levels: Sequence[int] = LEVELS,
    low_sides: Sequence[str] = LOW_SIDES,
) -> Iterator[Point]:
    """All of some subjects, those of one seed first."""
    for seed, low_side, level, method, subject in product(seeds, low_sides, levels, methods, subjects):
        yield Point(subject, method, level, low_side, seed)
