"""What a training is made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from annotated_types import Ge, Lt
from omegaconf import DictConfig
from torch.optim import Optimizer

from imprint.data.dataset import Dataset, JointDataset
from imprint.data.framing import Framing
from imprint.data.prior import Prior
from imprint.evaluation.profile import Profile
from imprint.evaluation.samples import SampleProtocol
from imprint.evaluation.watch import Watch
from imprint.methods.base import Method
from imprint.models.base import ModelInfo, ModelSource
from imprint.objectives.noise_prediction import NoisePrediction
from imprint.planning.naming import Candidates
from imprint.planning.subjects import Subject
from imprint.reporting.reporter import Reporter
from imprint.runs import Run
from imprint.sweeps import SweepSettings
from imprint.training.hparams import HParams
from imprint.training.trainer import TrainerSettings
from imprint.types import Concept


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the root of `train.yaml` names. Its fields are the keys that exist."""

    model: ModelSource
    method: Method
    dataset: Dataset | JointDataset
    hparams: HParams
    optimizer: Callable[..., Optimizer]
    prior: Prior
    objective: NoisePrediction
    samples: SampleProtocol
    evaluation: Profile | None
    watch: Watch
    trainer: TrainerSettings
    report: Reporter
    sweep: SweepSettings
    dry_run: bool
    seed: Annotated[int, Ge(0), Lt(2**32)]  # what the libraries' own generators take
    outputs: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A configuration that has been checked: its parts, what is known of the world, and the run that it is."""

    parts: Parts
    facts: ModelInfo
    subjects: tuple[Subject, ...]
    nouns: Mapping[str, Candidates]  # by subject: what its pictures may show; the first is its class
    identity: Mapping[str, Any]
    run: Run

    @property
    def concepts(self) -> tuple[Concept, ...]:
        return tuple(subject.concept for subject in self.subjects)


class Prepared(NamedTuple):
    """A point of a sweep: how Hydra tells it from the others, and what `plan` was prepared from. None where it cannot
    be prepared."""

    overrides: Sequence[str]
    cfg: DictConfig
    plan: Plan | None


def framing_of(dataset: Dataset, facts: ModelInfo) -> Framing:
    """How the pictures become what the model can see. Raises ConfigError."""
    return Framing(crop=dataset.crop, flip=dataset.flip, resolution=facts.resolution, multiple=facts.pixel_multiple)
