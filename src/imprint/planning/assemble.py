"""Loads the model of a plan and connects everything that trains."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import nn

from imprint.data.pictures import PictureSet
from imprint.data.prior import Prior
from imprint.data.stream import TrainingStream
from imprint.data.subject import PriorPictures, SamePictures, SubjectSamples
from imprint.models.base import Model
from imprint.models.pipeline import cast_frozen
from imprint.planning.parts import Plan, framing_of
from imprint.rng import seed_of
from imprint.training.hparams import Precision
from imprint.training.module import TrainingModule
from imprint.training.task import Feed, Teacher, TrainingTask
from imprint.types import Concept, ParamGroup

COMPUTE_TYPES: dict[Precision, torch.dtype] = {
    "32": torch.float32,
    "bf16-mixed": torch.bfloat16,
    "16-mixed": torch.float16,
}


class Attached(NamedTuple):
    """What a model was given to train, and what its prior needs of the model as it was before."""

    groups: Sequence[ParamGroup]
    prior_pictures: Sequence[PictureSet | None]  # of each subject
    teacher: Teacher | None


def assemble(plan: Plan) -> TrainingModule:
    """Loads the model, generates the prior's pictures, attaches the method. Only what the method returned trains."""
    model, device = plan.parts.model.load(), plan.parts.trainer.own_device
    if device.type == "cpu":
        align(model)
    model.to(device)
    return TrainingModule(model, task_of(plan, model, attach(plan, model)))


def align(module: nn.Module) -> None:
    """Copies weights out of the memory-mapped file that they were read from, where they start at any byte, to memory
    that PyTorch allocates, at multiples of 64. MKL's rounding depends on the alignment: without this, a copy of the
    model (as of points that train in turn), or the same weights in a file with a longer header, have other last
    digits. One tensor at a time, so that no second copy of the model is in memory."""
    for weight in (*module.parameters(), *module.buffers()):
        weight.data = weight.data.clone()


def attach(plan: Plan, model: Model) -> Attached:
    """Generates the prior's pictures, and adds to `model` what is to be trained. It must be untuned, in float32, and on
    its device."""
    parts = plan.parts
    with computing(parts.hparams.precision, parts.trainer.own_device):
        prior_pictures = [
            parts.prior.pictures(model, plan.facts, concept, precision=parts.hparams.precision)
            for concept in plan.concepts
        ]
    prompts = [parts.prior.prompt(concept) for concept in plan.concepts]
    teacher = Teacher(model, prompts) if parts.prior.uses_base_prediction else None
    with torch.random.fork_rng(devices=[]):  # the libraries' initial weights depend only on the seed
        torch.manual_seed(seed_of(parts.seed, "method"))
        groups = parts.method.attach(model, plan.concepts)
    if teacher is not None:
        teacher.keep([weight for group in groups for weight in group.params])
    return Attached(groups, prior_pictures, teacher)


def task_of(plan: Plan, model: Model, attached: Attached) -> TrainingTask:
    """Prepares `model` to train what was attached: modes, precision, memory."""
    parts, precision = plan.parts, plan.parts.hparams.precision
    _check_trainable(attached.groups, model)
    set_modes(model)
    model.cast_frozen(COMPUTE_TYPES[precision])
    if parts.trainer.channels_last:
        arrange_frozen(model.roles["denoiser"])
    if attached.teacher is not None:
        cast_frozen(attached.teacher.denoiser, COMPUTE_TYPES[precision])
    if parts.trainer.gradient_checkpointing:
        model.enable_gradient_checkpointing()
    if parts.trainer.compile:
        model.roles["denoiser"].compile()
    return TrainingTask(
        concepts=plan.concepts,
        method=parts.method,
        groups=attached.groups,
        objective=parts.objective,
        prior_weight=parts.prior.weight,
        teacher=attached.teacher,
        feed=_feed(plan, attached.prior_pictures),
        hparams=parts.hparams,
        make_optimizer=parts.optimizer,
        seed=parts.seed,
    )


def _feed(plan: Plan, prior_pictures: Sequence[PictureSet | None]) -> Feed:
    parts, facts = plan.parts, plan.facts
    stream = TrainingStream(
        subjects=[
            SubjectSamples(
                number=number,
                pictures=pictures.captioned(concept.fill_caption),
                captions=parts.method.captions(concept),
                caption_dropout=dataset.caption_dropout,
                prior=_prior(parts.prior, concept, own),
                framing=framing_of(dataset, facts),
                seed=parts.seed,
                batch_size=parts.hparams.batch_size,
            )
            for number, ((concept, dataset, pictures), own) in enumerate(
                zip(plan.subjects, prior_pictures, strict=True)
            )
        ],
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


def _prior(prior: Prior, concept: Concept, own: PictureSet | None) -> PriorPictures | SamePictures | None:
    captions = [prior.prompt(concept)]
    if prior.samples == "instance":
        return SamePictures(captions)
    return PriorPictures(own, captions) if own else None


def _check_trainable(groups: Sequence[ParamGroup], model: Model) -> None:
    """Exactly the parameters that the method returned require gradients, once each, in float32."""
    returned = [id(parameter) for group in groups for parameter in group.params]
    requiring = {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    assert len(returned) == len(set(returned)), "a parameter is in two groups"
    assert set(returned) == requiring, "the parameters that learn are not those that the method returned"
    assert all(parameter.dtype == torch.float32 for group in groups for parameter in group.params)


def set_modes(model: Model) -> None:
    """Parts that train are in training mode, for their dropout and checkpointing; frozen ones are not."""
    for part in model.roles.values():
        part.train(any(parameter.requires_grad for parameter in part.parameters()))


def arrange_frozen(denoiser: nn.Module) -> None:
    """Stores convolution kernels channels last, unless they train: their gradients are slower then."""
    kernels = [module.weight for module in denoiser.modules() if isinstance(module, nn.Conv2d)]
    if not any(kernel.requires_grad for kernel in kernels):
        for kernel in kernels:
            kernel.data = kernel.data.to(memory_format=torch.channels_last)


@contextmanager
def computing(precision: Precision, device: torch.device) -> Iterator[None]:
    """The trainer's precision, for computations outside of it; without gradients."""
    dtype = COMPUTE_TYPES[precision]
    with torch.no_grad(), torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
        yield
