"""Loads the model of a plan and connects everything that trains."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import torch
from torch import nn
from torch.optim import Optimizer

from imprint.data.pictures import PictureSet
from imprint.data.prior import Prior
from imprint.data.stream import TrainingStream
from imprint.data.subject import PriorPictures, SamePictures, SubjectSamples
from imprint.evaluation.profile import Precision
from imprint.models.base import Model, is_text
from imprint.models.block_swap import BlockSwap
from imprint.models.checkpoint.layout import AUTOENCODER
from imprint.models.loading import cast_frozen, cast_learning
from imprint.models.residency import reclaim
from imprint.models.roles import DENOISER
from imprint.planning.parts import Plan, framing_of
from imprint.planning.residence import COMPUTE_TYPES, leaving, loading_of, whole_untuned
from imprint.seeds import seed_of
from imprint.training.encoding import CaptionCache, LatentCache
from imprint.training.host_optimizer import HostOptimizer
from imprint.training.module import TrainingModule
from imprint.training.task import Feed, Teacher, TrainingTask
from imprint.types import Concept, ParamGroup


class Encoded(NamedTuple):
    """The training data, and what the untuned model made of it."""

    feed: Feed
    latents: LatentCache
    captions: CaptionCache
    class_prompts: CaptionCache  # in full precision


class Attached(NamedTuple):
    """What a model was given to train, the training data, and what the prior needs of the model as it was before."""

    groups: Sequence[ParamGroup]
    feed: Feed
    teacher: Teacher | None


def assemble(plan: Plan) -> TrainingModule:
    """Loads the model, generates the prior's pictures, attaches the method. Only what the method returned trains."""
    loading = loading_of(plan)
    if loading.dtype != torch.float32 or loading.absent or loading.at_home or loading.mapped:
        draw_class_pictures(plan)
    model = plan.parts.model.load_as(loading)
    encoded = encode_first(plan, model, leaving(plan))
    task = task_of(plan, model, attach(plan, model, encoded))
    return TrainingModule(model, task, latents=encoded.latents, captions=encoded.captions)


def draw_class_pictures(plan: Plan) -> None:
    """Those that the prior lacks, by a model of its own in full precision, which is gone before another is loaded."""
    parts = plan.parts
    precision = parts.hparams.operations
    if any(parts.prior.draws(plan.facts, concept, precision=precision) for concept in plan.concepts):
        model = parts.model.load_as(whole_untuned(plan))
        _swap_blocks(plan, model)
        _class_pictures(plan, model)
        reclaim()


def encode_first(plan: Plan, model: Model, going: Collection[str]) -> Encoded:
    """With the parts that are `going` (their roles), as a training step would, and lets each go when it is done. Then
    reads the others. Where none is going, nothing is encoded yet."""
    parts, residency = plan.parts, model.residency
    encoded = Encoded(feed_of(plan, _class_pictures(plan, model)), LatentCache(), CaptionCache(), CaptionCache())
    if texts := set(filter(is_text, model.roles)).intersection(going):
        if parts.prior.uses_base_prediction:
            encoded.class_prompts.condition(model, _class_prompts(plan))
        model.cast_frozen(COMPUTE_TYPES[parts.hparams.precision])
        with computing(parts.hparams.precision, parts.trainer.own_device):
            encoded.captions.condition(model, encoded.feed.captions())
        residency.release(texts)
    if AUTOENCODER in going:
        encoded.feed.fill(encoded.latents, model, parts.trainer.own_device)
    residency.keep({*model.roles, AUTOENCODER}.difference(going))
    return encoded


def attach(plan: Plan, model: Model, encoded: Encoded | None = None) -> Attached:
    """Generates the prior's pictures, and adds to `model` what is to be trained. It must be untuned and on its device,
    and its parts in full precision as far as the method and the prior ask for it."""
    parts = plan.parts
    encoded = encoded or encode_first(plan, model, ())
    teacher = None
    if parts.prior.uses_base_prediction:
        teacher = Teacher(model, _class_prompts(plan), encoded.class_prompts)
    with torch.random.fork_rng(devices=[]):  # the libraries' initial weights depend only on the seed
        torch.manual_seed(seed_of(parts.seed, "method"))
        groups = parts.method.attach(model, plan.concepts)
    if teacher is not None:
        teacher.keep([weight for group in groups for weight in group.params])
    return Attached(groups, encoded.feed, teacher)


def _class_pictures(plan: Plan, model: Model) -> list[PictureSet | None]:
    """Of each subject; drawn by the untuned model where the prior draws and they are not there yet."""
    parts = plan.parts
    precision = parts.hparams.operations
    with computing(precision, parts.trainer.own_device):
        return [parts.prior.pictures(model, plan.facts, concept, precision=precision) for concept in plan.concepts]


def _class_prompts(plan: Plan) -> list[str]:
    return [plan.parts.prior.prompt(concept) for concept in plan.concepts]


def task_of(plan: Plan, model: Model, attached: Attached) -> TrainingTask:
    """Prepares `model` to train what was attached: modes, precision, memory."""
    parts, precision = plan.parts, plan.parts.hparams.precision
    _check_trainable(attached.groups, model, precision)
    set_modes(model)
    model.cast_frozen(COMPUTE_TYPES[precision])
    if precision == "bf16":
        for part in model.roles.values():
            cast_learning(part, torch.bfloat16)
    if parts.trainer.channels_last:
        arrange_frozen(model.roles["denoiser"])
    if attached.teacher is not None and attached.teacher.denoiser is not None:
        cast_frozen(attached.teacher.denoiser, COMPUTE_TYPES[precision])
    if every := parts.trainer.recomputed:
        model.enable_gradient_checkpointing(every=every)
    teachers = [attached.teacher.denoiser] if attached.teacher else []
    _swap_blocks(plan, model, *filter(None, teachers))
    if parts.trainer.compile:
        model.roles["denoiser"].compile()
    return TrainingTask(
        concepts=plan.concepts,
        method=parts.method,
        groups=attached.groups,
        objective=parts.objective,
        prior_weight=parts.prior.weight,
        teacher=attached.teacher,
        feed=attached.feed,
        hparams=parts.hparams,
        make_optimizer=_optimizer(plan),
        offload_activations=parts.trainer.offload_activations and parts.trainer.offloads,
        seed=parts.seed,
    )


def _swap_blocks(plan: Plan, model: Model, *others: nn.Module) -> None:
    """Lets the blocks of the denoiser, and of others that share its frozen weights, come and go."""
    trainer = plan.parts.trainer
    if trainer.blocks_on_device != "all" and trainer.offloads:
        model.block_swap = BlockSwap([model.roles[DENOISER], *others], trainer.own_device, trainer.blocks_on_device)


def _optimizer(plan: Plan) -> Callable[..., Optimizer]:
    parts = plan.parts
    offloaded = parts.trainer.offload_optimizer and parts.trainer.offloads
    return partial(HostOptimizer, make=parts.optimizer) if offloaded else parts.optimizer


def stream_of(plan: Plan, prior_pictures: Sequence[PictureSet | None]) -> TrainingStream:
    """What is trained on; `prior_pictures` are those of each subject's class, where the prior has such."""
    parts, facts = plan.parts, plan.facts
    return TrainingStream(
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


def feed_of(plan: Plan, prior_pictures: Sequence[PictureSet | None]) -> Feed:
    parts, facts = plan.parts, plan.facts
    return Feed(
        stream=stream_of(plan, prior_pictures),
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


def _check_trainable(groups: Sequence[ParamGroup], model: Model, precision: str) -> None:
    """Exactly the parameters that the method returned require gradients, once each, in float32, or where these learn in
    bfloat16, perhaps in that."""
    returned = [id(parameter) for group in groups for parameter in group.params]
    requiring = {id(parameter) for parameter in model.parameters() if parameter.requires_grad}
    types = {torch.float32, COMPUTE_TYPES[precision] if precision == "bf16" else torch.float32}
    assert len(returned) == len(set(returned)), "a parameter is in two groups"
    assert set(returned) == requiring, "the parameters that learn are not those that the method returned"
    assert all(parameter.dtype in types for group in groups for parameter in group.params)


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
    """A trainer's precision, for computations outside of it; without gradients."""
    dtype = COMPUTE_TYPES[precision]
    with torch.no_grad(), torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
        yield
