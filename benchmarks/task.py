"""What is trained, whoever trains it, and on what."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Method = Literal["dreambooth", "lora", "textual_inversion"]
RATES: dict[Method, float] = {"dreambooth": 5e-6, "lora": 1e-4, "textual_inversion": 5e-3}

IDENTIFIER = "sks"
WORD = f"<{IDENTIFIER}>"  # where a new word is taught


@dataclass(frozen=True, kw_only=True)
class Task:
    """One training: AdamW as usual, a constant rate, the gradient clipped to 1 unless a word learns."""

    method: Method
    steps: int
    lr: float
    batch_size: int = 1  # pictures of the subject, and with a prior as many of the class
    prior: Literal["none", "found", "drawn"] = "none"  # class pictures: are there, or are drawn first
    class_count: int = 20
    rank: int = 4
    seed: int = 0
    precision: Literal["32", "bf16"] = "32"
    peer_caches: bool = False  # the peer's script is told to keep what the autoencoder makes of the pictures


@dataclass(frozen=True, kw_only=True)
class Material:
    """What all sides are given alike."""

    size: str
    resolution: int
    model: Path  # a pipeline folder
    weights: str  # what the model's weights are
    pictures: Path  # folders of pictures, and of nothing else
    class_pictures: Path
    noun: str = "dog"
    family: str = "sd"  # as imprint's choice of a model is called
    tokens: int = 77  # of a caption

    @property
    def prompt(self) -> str:
        return f"a {IDENTIFIER} {self.noun}"

    @property
    def class_prompt(self) -> str:
        return f"a {self.noun}"
