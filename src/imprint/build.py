"""From configuration to objects: the only place where parts meet that do not know each other.

`prepare` is cheap and finds every problem before a model is loaded; `assemble` loads and connects.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

import torch
from annotated_types import Ge, Lt
from omegaconf import DictConfig
from torch import nn
from torch.optim import Optimizer

from imprint.config import resolved, signature
from imprint.construct import Constructor
from imprint.data.dataset import Dataset
from imprint.data.framing import Framing
from imprint.data.pictures import PictureSet
from imprint.data.prior import Prior, Samples
from imprint.data.stream import PriorPictures, SamePictures, TrainingStream
from imprint.draws import seed_of
from imprint.errors import ConfigError, Problem, UserError
from imprint.evaluation.samples import SampleProtocol
from imprint.families.base import Facts, Family, ModelSource
from imprint.locations import locate
from imprint.methods.base import Method
from imprint.objectives.noise_prediction import NoisePrediction
from imprint.reporting.reporter import Reporter
from imprint.runs import Run
from imprint.training.feed import Feed
from imprint.training.hparams import HParams, Precision
from imprint.training.module import Lesson, Personalisation
from imprint.training.teacher import Teacher
from imprint.training.trainer import TrainerSettings
from imprint.types import Concept, ParamGroup

AUTO = "auto"
EXACT_AS_FLOAT = 2**53  # larger whole numbers are not told apart as floats
COMPUTE_TYPES: dict[Precision, torch.dtype] = {
    "32": torch.float32,
    "bf16-mixed": torch.bfloat16,
    "16-mixed": torch.float16,
}
T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What the root of `train.yaml` names. Its fields are the keys that exist."""

    model: ModelSource
    method: Method
    dataset: Dataset
    hparams: HParams
    optimizer: Callable[..., Optimizer]
    prior: Prior
    objective: NoisePrediction
    evaluation: SampleProtocol
    trainer: TrainerSettings
    report: Reporter
    seed: Annotated[int, Ge(0), Lt(2**32)]  # what the libraries' own generators take
    outputs: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A configuration that has been checked: its parts, what is known of the world, and the run that it is."""

    parts: Parts
    facts: Facts
    pictures: PictureSet
    concept: Concept
    identity: Mapping[str, Any]
    run: Run


def prepare(cfg: DictConfig) -> Plan:
    """Raises ConfigError with all problems of the configuration."""
    constructor = Constructor()
    problems = constructor.problems
    tree = resolved(cfg)
    constructor.check_names(Parts, tree, "")
    part = constructor.arguments(Parts, tree, "")
    facts = _tried(part.get("model"), lambda model: model.facts(), problems)
    pictures = _tried(part.get("dataset"), lambda dataset: dataset.open(), problems)
    concept = _tried(part.get("dataset"), lambda dataset: _concept(dataset, facts, part.get("method")), problems)
    content = _tried(part.get("prior"), lambda prior: prior.identity(), problems)
    problems.extend(_conflicts(part, facts, concept))
    if problems:
        raise ConfigError(problems)
    assert facts and pictures and concept
    parts = Parts(**part)
    identity = {
        **{name: _settings(getattr(parts, name), tree[name]) for name in ("model", "dataset", "prior", "method")},
        **{name: _canonical(tree[name]) for name in ("objective", "hparams", "optimizer", "seed")},
        "content": {"model": facts.fingerprint, "dataset": pictures.fingerprint, "prior": content},
        "concept": concept._asdict(),
    }
    run = Run(locate(parts.outputs) / f"{parts.name}-{signature(identity)}")
    return Plan(parts=parts, facts=facts, pictures=pictures, concept=concept, identity=identity, run=run)


def assemble(plan: Plan) -> Personalisation:
    """Loads the model, draws what the prior needs, and attaches the method. Nothing trains but what it returned."""
    parts, facts, precision = plan.parts, plan.facts, plan.parts.hparams.precision
    device = parts.trainer.own_device
    family = parts.model.load().to(device)
    with _computing(parts, device):
        prior_pictures = parts.prior.pictures(family, facts, plan.concept, precision=precision)
    prompt = parts.prior.prompt(plan.concept)
    teacher = Teacher(family, prompt) if parts.prior.uses_base_prediction else None
    with torch.random.fork_rng(devices=[]):  # what the libraries draw for new weights comes from the seed alone
        torch.manual_seed(seed_of(parts.seed, "method"))
        groups = parts.method.attach(family, plan.concept)
    _hold_to(groups, family)
    _set_modes(family)
    _cast_frozen(family, precision)
    if teacher is not None:
        _cast_frozen(teacher, precision)
    if parts.trainer.gradient_checkpointing:
        family.enable_gradient_checkpointing()
    if parts.trainer.compile:
        family.roles["denoiser"].compile()
    lesson = Lesson(
        concept=plan.concept,
        method=parts.method,
        groups=groups,
        objective=parts.objective,
        prior_weight=parts.prior.weight,
        teacher=teacher,
        feed=_feed(plan, prior_pictures, prompt),
        hparams=parts.hparams,
        make_optimizer=parts.optimizer,
        seed=parts.seed,
    )
    return Personalisation(family, lesson)


class Trained(NamedTuple):
    """The model of a finished run, and the method whose result is in it."""

    family: Family
    concept: Concept
    method: Method


def trained_family(run: Run, *, scale: Mapping[str, float]) -> Trained:
    """For drawing and export. Raises UserError if what the run was trained from has changed."""
    manifest = run.read()
    constructor = Constructor()
    model: ModelSource = constructor.build(manifest["config"]["model"], "model")
    method: Method = constructor.build(manifest["config"]["method"], "method")
    if constructor.problems:
        raise ConfigError(constructor.problems)
    if model.facts().fingerprint != manifest["content"]["model"]:
        source = manifest["config"]["model"]["source"]
        remedy = f"this is not the model any more that {run.folder.name} was trained from. Bring that one back."
        raise ConfigError([Problem("model.source", source, remedy)])
    family = model.load()
    method.load(family, run.result, scale=scale)
    return Trained(family, Concept(**manifest["concept"]), method)


def _feed(plan: Plan, prior_pictures: PictureSet | None, prompt: str) -> Feed:
    parts, facts = plan.parts, plan.facts
    shared: dict[Samples, PriorPictures | SamePictures | None] = {
        "none": None,
        "instance": SamePictures([prompt]),
        "own": PriorPictures(prior_pictures, [prompt]) if prior_pictures else None,
    }
    stream = TrainingStream(
        pictures=plan.pictures.captioned(plan.concept.fill_caption),
        captions=parts.method.templates(plan.concept),
        prior=shared[parts.prior.samples],
        framing=_framing(parts.dataset, facts),
        seed=parts.seed,
        batch_size=parts.hparams.batch_size,
        with_pixels=True,
    )
    return Feed(
        stream=stream,
        steps=parts.hparams.steps,
        batch_size=parts.hparams.batch_size,
        accumulation=parts.trainer.accumulation,
        workers=parts.trainer.workers,
        resolution=facts.resolution,
        cache=parts.trainer.cache,
    )


def _framing(dataset: Dataset, facts: Facts) -> Framing:
    return Framing(crop=dataset.crop, flip=dataset.flip, resolution=facts.resolution, multiple=facts.pixel_multiple)


def _concept(dataset: Dataset, facts: Facts | None, method: Method | None) -> Concept | None:
    noun = dataset.class_noun
    if dataset.identifier != AUTO:
        return Concept(dataset.identifier, noun)
    return None if facts is None or method is None else Concept(method.choose_identifier(facts, noun), noun)


def _conflicts(part: Mapping[str, Any], facts: Facts | None, concept: Concept | None) -> Iterator[Problem | str]:
    """What each part cannot do together with the others. Parts that could not be built are passed over."""
    if facts and concept and part.get("method"):
        yield from (_under("method", problem) for problem in part["method"].problems(facts, concept))
    if facts and part.get("objective"):
        yield from (_under("objective", problem) for problem in part["objective"].problems(facts))
    if facts and part.get("dataset"):
        try:
            _framing(part["dataset"], facts)
        except ConfigError as error:
            yield from (_under("model", problem) for problem in error.problems)
    if part.get("trainer") and part.get("hparams"):
        yield from part["trainer"].problems(part["hparams"])
    if part.get("optimizer") and part.get("hparams"):
        yield from _unclippable(part["optimizer"], part["hparams"])
    if part.get("outputs"):
        yield from _unwritable(locate(part["outputs"]))


def _unclippable(optimizer: Callable[..., Optimizer], hparams: HParams) -> Iterator[Problem]:
    fused = getattr(optimizer, "keywords", {}).get("fused", False)
    if fused and hparams.clip and hparams.precision == "16-mixed":
        remedy = "a fused optimiser cannot be clipped under 16-mixed. Set optimizer.fused=false, or use bf16-mixed."
        yield Problem("optimizer.fused", True, remedy)


def _unwritable(folder: Path) -> Iterator[Problem]:
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        yield Problem("outputs", str(folder), f"{existing} is no folder that can be written to. Choose another.")


def _under(key: str, problem: Problem | str) -> Problem | str:
    return problem._replace(key=f"{key}.{problem.key}") if isinstance(problem, Problem) else problem


def _tried(part: T | None, ask: Callable[[T], R], problems: list[Problem | str]) -> R | None:
    """What `part` says, or None, with its complaint among the problems."""
    if part is None:
        return None
    try:
        return ask(part)
    except ConfigError as error:
        problems.extend(error.problems)
    except UserError as error:
        problems.append(str(error))
    return None


def _settings(part: Any, node: Mapping[str, Any]) -> Any:
    """A part's settings without those that only say where something lies or how fast it is had."""
    return _canonical({name: value for name, value in node.items() if name not in part.locators})


def _canonical(value: Any) -> Any:
    """1 and 1.0 are the same setting."""
    if isinstance(value, Mapping):
        return {name: _canonical(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_canonical(part) for part in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < EXACT_AS_FLOAT:
        return float(value)
    return value


def _hold_to(groups: Sequence[ParamGroup], family: Family) -> None:
    """What trains is what the method returned: no more, no less, once each, in float32."""
    returned = [id(parameter) for group in groups for parameter in group.params]
    requiring = {id(parameter) for parameter in family.parameters() if parameter.requires_grad}
    assert len(returned) == len(set(returned)), "a parameter is in two groups"
    assert set(returned) == requiring, "the parameters that learn are not those that the method returned"
    assert all(parameter.dtype == torch.float32 for group in groups for parameter in group.params)


def _set_modes(family: Family) -> None:
    """Parts that learn are in training mode, for their dropout and checkpointing; frozen ones are not."""
    for part in family.roles.values():
        part.train(any(parameter.requires_grad for parameter in part.parameters()))


def _cast_frozen(module: nn.Module, precision: Precision) -> None:
    """Frozen weights need no more precision than the computation has."""
    for parameter in module.parameters():
        if not parameter.requires_grad:
            parameter.data = parameter.data.to(COMPUTE_TYPES[precision])


@contextmanager
def _computing(parts: Parts, device: torch.device) -> Iterator[None]:
    """Outside the trainer, in the trainer's precision."""
    dtype = COMPUTE_TYPES[parts.hparams.precision]
    with torch.no_grad(), torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
        yield
