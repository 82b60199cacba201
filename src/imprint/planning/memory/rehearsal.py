"""The phases of a training, carried out by its own code on tensors without numbers: how many bytes each takes."""

import json
import logging
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from imprint.data.loader import micro_batch_size
from imprint.data.prior import GeneratedPrior
from imprint.libraries.diffusers import kept_in_float32, repeated_blocks
from imprint.libraries.fake_tensors import CPU, Imitation, Meter, automatic_precision_of, kept_elsewhere
from imprint.libraries.torch import unpinned
from imprint.methods.adapter_layers import merged
from imprint.models.checkpoint.layout import AUTOENCODER
from imprint.models.conditioning import joined
from imprint.models.low_res import any_low_res, conditioning_of_low_res
from imprint.models.pipeline import PipelineModel
from imprint.models.residency import all_present
from imprint.models.roles import DENOISER
from imprint.models.sampler import conditioning_of
from imprint.pictures.generate import largest_batch
from imprint.planning.assemble import Attached, computing, feed_of, task_of
from imprint.planning.memory.repeats import Repeats
from imprint.planning.parts import Plan
from imprint.planning.residence import loading_of
from imprint.training.encoding import CaptionCache, LatentCache
from imprint.training.module import TrainingModule
from imprint.training.task import Feed, Teacher
from imprint.training.trainer import has_own_memory
from imprint.types import Batch, Geometry, Sampler

VIEW = "view"  # the key of the only one in a rehearsal
FIRST_TIME = 0.5  # at which a prediction is made; all take the same


class Step(NamedTuple):
    """Bytes above what is there before a step of training, at most."""

    forward: int
    backward: int  # with the gradients, as far as they are there
    backward_alone: int  # without


class Rehearsal(NamedTuple):
    """Bytes; parts of the model go by their roles."""

    loaded: Mapping[str, int]  # as they are read
    blocks: Sequence[int]  # of the denoiser's blocks, the weights that do not learn
    frozen: Mapping[str, int]  # as they are while they train, without what learns
    exact: int  # all parts in float32
    low_side: int  # what an upscaler's low sides pass through beside the model's own parts; 0: nothing
    learning: Mapping[str, int]  # by group
    shapes: Sequence[torch.Size]  # of what learns
    teacher: int  # weights that the untuned model has of its own
    texts: int  # above the parts, while captions are encoded
    pictures: int  # while pictures are
    step: Step
    samples: int  # while sample pictures are drawn; 0: none are
    class_pictures: int  # while the prior's are drawn, which are not there yet; 0: none are
    adapter_merge: int  # copies of weights into which adapters are merged while they are


_known: dict[str, Rehearsal] = {}  # of this process, by all that they depend on


def rehearse(plan: Plan, device: torch.device) -> Rehearsal:
    """As on a device of this kind. Raises whatever a library or a part of the user's own raises on such tensors."""
    key = _key(plan, device)
    if key not in _known:
        with _quiet(), torch.random.fork_rng(devices=[]), automatic_precision_of(device):
            _known[key] = _Stage(plan, device).play()
    return _known[key]


def _key(plan: Plan, device: torch.device) -> str:
    parts = plan.parts
    identity = {name: plan.identity[name] for name in ("model", "method", "prior", "dataset", "concept", "content")}
    names = ("gradient_checkpointing", "cache", "world_size", "offload_activations")
    trainer = [getattr(parts.trainer, name) for name in names]
    size = (parts.hparams.batch_size, parts.trainer.accumulation, plan.facts.resolution, parts.hparams.precision)
    quantised = getattr(parts.model, "quantise", None)
    samples = (bool(parts.samples.prompts and parts.samples.seeds), parts.samples.batch_size)
    return json.dumps([identity, quantised, trainer, size, samples, device.type], sort_keys=True, default=str)


class _Stage:
    """A model without weights, and what a training puts around it."""

    def __init__(self, plan: Plan, device: torch.device) -> None:
        self.keeps_elsewhere = plan.parts.trainer.offload_activations and has_own_memory(device)
        trainer = replace(plan.parts.trainer, accelerator="cpu", compile=False)
        self.plan = replace(plan, parts=replace(plan.parts, trainer=trainer))
        self.parts, self.facts = self.plan.parts, plan.facts
        self.loading = loading_of(self.plan)
        self.imitation = Imitation()
        self.meter = Meter(self.imitation)

    def play(self) -> Rehearsal:
        parts, model = self.parts, self._model()
        through = self._low_side_autoencoder(model)
        loaded, exact = _sizes(model), _exact_size(model)
        feed = feed_of(self.plan, [None] * len(self.plan.concepts))
        caption = max(feed.captions(), key=len)
        latents, captions = LatentCache(), CaptionCache()
        side = self.facts.resolution
        with self.meter:
            self.meter.pass_over([*model.parameters(), *model.buffers(), *(_held(through) if through else ())])
            teacher = None
            if parts.prior.uses_base_prediction:
                teacher = Teacher(
                    model, [parts.prior.prompt(concept) for concept in self.plan.concepts], CaptionCache()
                )
            with self._measured() as texts, computing(parts.hparams.precision, CPU):
                captions.condition(model, [caption])
            with self._measured() as pictures:
                latents.fill(model, [(VIEW, torch.zeros(3, side, side))], CPU)
            class_pictures = self._class_pictures(model, caption)
            groups = parts.method.attach(model, self.plan.concepts)
            learning = [weight for group in groups for weight in group.params]
            if teacher is not None:
                teacher.keep(learning)
            task = task_of(self.plan, model, Attached(groups, feed, teacher))
            module = TrainingModule(model, task, latents=latents, captions=captions)
            repeats = Repeats(model.roles[DENOISER])
            step = Step(*repeats.extrapolated(lambda: self._step(module, feed, learning, caption)))
            samples, copies = self._samples(model, caption)
        return Rehearsal(
            loaded=loaded,
            low_side=_frozen_size(through) if through else 0,
            frozen=_sizes(model),
            blocks=[_frozen_size(block) for block in repeated_blocks(model.roles[DENOISER])],
            exact=exact,
            learning={group.name: sum(weight.nbytes for weight in group.params) for group in groups},
            shapes=[weight.shape for weight in learning],
            teacher=_own_size(teacher, model),
            texts=texts.bytes,
            pictures=pictures.bytes,
            step=step,
            samples=samples,
            class_pictures=class_pictures,
            adapter_merge=copies,
        )

    def _model(self) -> PipelineModel:
        everything = frozenset({*self.facts.roles, AUTOENCODER})
        model = self.parts.model.load_as(replace(self.loading, absent=everything, device=None))
        assert isinstance(model, PipelineModel)
        model.residency = all_present()
        for part in model.layout.parts:
            network = model.parts[part.name]
            unpinned(network)
            dtype = torch.float32 if part.role in self.loading.exact else self.loading.dtype
            self.imitation.fill(network, dtype, exact=kept_in_float32(network))
        return model

    def _low_side_autoencoder(self, model: PipelineModel) -> nn.Module | None:
        """What an upscaler's low sides pass through beside the model's own parts; in memory from now on."""
        stored = model.low_side.autoencoder if model.low_side else None
        if stored is None:
            return None
        network = stored.outline()
        self.imitation.fill(network, torch.float32, exact=())
        stored.hold(network)
        return network

    @contextmanager
    def _measured(self) -> Iterator["_Reading"]:
        reading, before = _Reading(), self.meter.live
        self.meter.begin()
        yield reading
        reading.bytes = self.meter.peak - before

    def _step(
        self, module: TrainingModule, feed: Feed, learning: Sequence[nn.Parameter], caption: str
    ) -> Sequence[int]:
        meter = self.meter
        before = meter.live
        meter.begin()
        batch = self._batch(feed, caption)
        dtype = self.loading.dtype
        with meter.tell_apart(learning):
            with torch.autocast(CPU.type, dtype=dtype, enabled=dtype != torch.float32):
                elsewhere = kept_elsewhere(_held(module.model)) if self.keeps_elsewhere else nullcontext()
                with elsewhere:
                    loss = module.losses(batch).total
            forward = meter.peak - before
            meter.begin()
            torch.autograd.backward(loss)
            backward, alone = meter.peak - before, meter.peak_without - before
        for weight in learning:
            weight.grad = None
        return forward, backward, alone

    def _batch(self, feed: Feed, caption: str) -> Batch:
        parts, side = self.parts, self.facts.resolution
        own = micro_batch_size(
            batch_size=parts.hparams.batch_size,
            world_size=parts.trainer.world_size,
            accumulation=parts.trainer.accumulation,
        )
        priors = 0 if parts.prior.samples == "none" else own
        count = own + priors
        is_kept = parts.trainer.cache and feed.stream.why_not_cacheable is None
        return Batch(
            pixels_BCHW=None if is_kept else torch.zeros(count, 3, side, side),
            captions=[caption] * count,
            priors=priors,
            ids=[str(number) for number in range(count)],
            keys=[VIEW] * count,
            geometry=[Geometry.whole(side, side)] * count,
        )

    def _class_pictures(self, model: PipelineModel, prompt: str) -> int:
        prior, precision = self.parts.prior, self.parts.hparams.precision
        if not any(prior.draws(self.facts, concept, precision=precision) for concept in self.plan.concepts):
            return 0
        assert isinstance(prior, GeneratedPrior)
        return self._drawing(model, prior.sampler, [prompt] * min(prior.batch_size, prior.count))

    def _samples(self, model: PipelineModel, prompt: str) -> tuple[int, int]:
        """Of drawing, and of the copies of weights that are there meanwhile."""
        protocol, side = self.parts.samples, self.facts.resolution
        if not (protocol.prompts and protocol.seeds):
            return 0, 0
        asked = len(protocol.asked(self.plan.concepts))
        count = min(asked, largest_batch(protocol.batch_size, (side, side)))
        before = self.meter.live
        with merged(model.roles.values()):
            copies = self.meter.live - before
            return self._drawing(model, protocol.sampler, [prompt] * count), copies

    def _drawing(self, model: PipelineModel, sampler: Sampler, prompts: Sequence[str]) -> int:
        """One prediction, as they are all alike, and one picture, as they are decoded one by one."""
        side = self.facts.resolution
        with self._measured() as drawing, computing(self.parts.hparams.precision, CPU):
            copies = 2 if model.draws_twice(sampler.guidance) else 1
            low_res = any_low_res(model, len(prompts), side, side)
            low = conditioning_of_low_res(model, low_res, [torch.Generator() for _ in prompts], CPU)
            told = {**conditioning_of(model, prompts, sampler, side, side), **joined([low] * copies)}
            count = len(prompts) * copies
            latents_BCHW = torch.zeros(count, *model.latent_shape(side, side))
            predicted_BCHW = model.denoise(latents_BCHW, torch.full((count,), FIRST_TIME), told)
            model.decode(predicted_BCHW[:1])
        return drawing.bytes


class _Reading:
    bytes = 0


def _sizes(model: PipelineModel) -> dict[str, int]:
    """Of each part's weights that do not learn, each counted once, and its buffers."""
    return {part.role: _frozen_size(model.parts[part.name]) for part in model.layout.parts}


def _frozen_size(network: nn.Module) -> int:
    return sum(weight.nbytes for weight in _held(network) if not weight.requires_grad)


def _exact_size(model: PipelineModel) -> int:
    """In float32; what is quantised stays so."""
    weights = [weight for part in model.parts.values() for weight in part.parameters()]
    return sum(4 * weight.numel() if weight.is_floating_point() else weight.nbytes for weight in weights)


def _own_size(teacher: Teacher | None, model: PipelineModel) -> int:
    shared = {id(weight) for weight in model.parameters()}
    own = () if teacher is None or teacher.denoiser is None else teacher.denoiser.parameters()
    return sum(weight.nbytes for weight in own if id(weight) not in shared)


def _held(network: nn.Module) -> Iterable[Tensor]:
    yield from network.parameters()
    yield from network.buffers()


@contextmanager
def _quiet() -> Iterator[None]:
    """What a rehearsal says will be said again, by the training."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
