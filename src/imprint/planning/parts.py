"""The parts of a training, and a checked plan of one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
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
from imprint.models.base import ModelSource
from imprint.models.facts import ModelInfo
from imprint.objectives.noise_prediction import NoisePrediction
from imprint.planning.subjects import Candidates, Subject
from imprint.provenance.base import Provenance
from imprint.reporting.reporter import Reporter
from imprint.runs import Run
from imprint.setting_types import FolderName, Place
from imprint.sweeps import SweepSettings
from imprint.training.hparams import HParams
from imprint.training.trainer import TrainerSettings
from imprint.types import Concept


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the root of `train.yaml` configures. Its fields are the keys that exist."""

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
    provenance: Provenance
    sweep: SweepSettings
    dry_run: bool
    seed: Annotated[int, Ge(0), Lt(2**32)]  # the range of the libraries' own generators
    outputs: Place
    name: FolderName


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A checked configuration: its parts, facts of the model and the data that it names, and the run."""

    parts: Parts
    facts: ModelInfo
    subjects: tuple[Subject, ...]
    nouns: Mapping[str, Candidates]  # by subject: candidates for its class noun, the first of which is chosen
    identity: Mapping[str, Any]
    run: Run

    @property
    def concepts(self) -> tuple[Concept, ...]:
        return tuple(subject.concept for subject in self.subjects)

    def settled(self, cfg: DictConfig) -> list[str]:
        """What the plan has found for itself that `cfg`, from which it was prepared, leaves open: as overrides."""
        return (
            []
            if cfg.trainer.devices == self.parts.trainer.devices
            else [f"trainer.devices={self.parts.trainer.devices}"]
        )

    def remarks(self) -> Iterator[str]:
        """What one should know of the training before it begins."""
        noise = self.parts.objective.median_noise(self.facts.process, self.facts.latent_shape)
        yield f"Half of the samples have more noise than {noise:.2f} (0 is clean, 1 is all noise)."
        model = self.parts.model
        if model.forgets_its_few_steps():
            yield (
                "This model was distilled to draw in few steps, which training on it undoes. Train on the model that "
                "it was distilled from and draw with this one (imprint generate RUN base=...), or train with an "
                "adapter that undoes the distillation meanwhile (model.training_adapter=...)."
            )


class Prepared(NamedTuple):
    """A point of a sweep: its Hydra overrides, its configuration, and its plan; None where it cannot be prepared."""

    overrides: Sequence[str]
    cfg: DictConfig
    plan: Plan | None


def framing_of(dataset: Dataset, facts: ModelInfo) -> Framing:
    """How pictures are cropped and scaled for the model. Raises ConfigError."""
    return Framing(crop=dataset.crop, flip=dataset.flip, resolution=facts.resolution, multiple=facts.pixel_multiple)
