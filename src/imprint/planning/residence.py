"""What of a model is in memory while it trains, and in which precision."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

import torch

from imprint.evaluation.profile import Precision
from imprint.models.base import is_text
from imprint.models.checkpoint.layout import AUTOENCODER
from imprint.models.loading import WHOLE, Loading, whole_on
from imprint.models.low_side import KEY as LOW_SIDE_KEY
from imprint.models.roles import DENOISER
from imprint.planning.parts import Plan, framing_of

COMPUTE_TYPES: Mapping[str, torch.dtype] = {
    "32": torch.float32,
    "bf16-mixed": torch.bfloat16,
    "16-mixed": torch.float16,
    "bf16": torch.bfloat16,
}


def leaving(plan: Plan) -> frozenset[str]:
    """The parts that leave when what they make is kept: their roles."""
    if _why_none(plan):
        return frozenset()
    return _all_roles(plan) - {role for role, _ in _staying(plan)}


def shares(plan: Plan) -> Mapping[str, Fraction]:
    """How much of a part's weights a device holds while the part is in memory, by its role, and as much of their
    gradients, moments and average. Beside it a device has whole, for as long as it computes with them, two of the
    part's blocks (`models.sharding.blocks`: one in use and the next), and during a pass what is in none of them."""
    trainer = plan.parts.trainer
    shared = plan.facts.roles if trainer.shards else ()
    return {role: Fraction(1, trainer.world_size if role in shared else 1) for role in (*plan.facts.roles, AUTOENCODER)}


def loading_of(plan: Plan) -> Loading:
    """Frozen parts in the precision of the computation. Where parts leave, what encodes pictures and what is trained is
    read after the captions are encoded. What devices share is not put on any of them as a whole."""
    parts, facts = plan.parts, plan.facts
    exact = parts.method.exact_roles(facts) if parts.hparams.precision != "bf16" else frozenset()
    if parts.prior.uses_base_prediction:  # whose class prompts are encoded by the untuned model in full precision
        exact |= set(filter(is_text, facts.roles))
    return Loading(
        dtype=COMPUTE_TYPES[parts.hparams.precision],
        exact=exact,
        absent=frozenset({DENOISER, AUTOENCODER} if leaving(plan) else ()),
        device=parts.trainer.own_device,
        at_home=at_home(plan),
        mapped=_shared_from_memory(plan),
    )


def encodes_each_step(plan: Plan) -> bool:
    """Whether pictures are encoded anew at every step: what encodes them, or makes an upscaler's low sides, stays."""
    return any(role == AUTOENCODER for role, _ in _staying(plan))


def at_home(plan: Plan) -> frozenset[str]:
    """The parts whose blocks come and go: their roles."""
    trainer = plan.parts.trainer
    return frozenset({DENOISER} if trainer.blocks_on_device != "all" and trainer.offloads else ())


def _shared_from_memory(plan: Plan) -> frozenset[str]:
    """The parts that go to the devices a piece each. Others are needed whole before that, to encode captions."""
    trainer = plan.parts.trainer
    if not trainer.shards or trainer.own_device.type == "cpu":
        return frozenset()
    roles = {DENOISER} if plan.parts.prior.uses_base_prediction else plan.facts.roles
    return frozenset(roles) - leaving(plan)


def whole_untuned(plan: Plan) -> Loading:
    """All of it in full precision, on its device."""
    return replace(WHOLE, device=plan.parts.trainer.own_device, at_home=at_home(plan))


def loading_to_draw(precision: Precision, device: torch.device) -> Loading:
    """A mixed precision casts weights where they are used, and leaves them in float32."""
    if precision != "bf16":
        return WHOLE
    return replace(whole_on(device), dtype=COMPUTE_TYPES[precision])


def describe(plan: Plan) -> Iterator[str]:
    """A line for whoever starts the run; none for models whose parts are not known."""
    if not plan.parts.model.parts_can_leave:
        if plan.parts.trainer.keep_parts == "needed":
            yield "trainer.keep_parts=needed changes nothing: the parts of this model cannot leave."
        return
    gone = leaving(plan)
    dtype = str(COMPUTE_TYPES[plan.parts.hparams.precision]).removeprefix("torch.")
    precision = dtype if plan.parts.hparams.precision in ("32", "bf16") else f"{dtype}, what learns in float32"
    line = f"In memory while it trains ({precision}): {_listed(plan, _all_roles(plan) - gone)}."
    if gone:
        line += f" Read to encode, and let go: {_listed(plan, gone)}."
    if plan.parts.trainer.keep_parts == "needed":
        reasons = [_why_none(plan)] if _why_none(plan) else [why for role, why in _staying(plan) if role != DENOISER]
        line += "".join(f" {why[0].upper()}{why[1:]}." for why in dict.fromkeys(filter(None, reasons)))
    if (low_side := plan.parts.model.low_side()) and low_side.autoencoder:
        how_long = "stays, too" if encodes_each_step(plan) else "is there while low sides are made"
        line += f" The autoencoder of {LOW_SIDE_KEY}.base={low_side.autoencoder.source} {how_long}."
    trainer = plan.parts.trainer
    if trainer.shards and trainer.world_size > 1:
        shared = frozenset(plan.facts.roles) - gone
        line += f" Each of {trainer.world_size} devices holds an equal part of {_listed(plan, shared)}."
    yield line


def _why_none(plan: Plan) -> str | None:
    """Why no part leaves."""
    trainer = plan.parts.trainer
    if not plan.parts.model.parts_can_leave or trainer.keep_parts == "all":
        return "all are kept"
    together = trainer.world_size > 1 and not trainer.shards
    return "with several devices all parts stay" if together else None


def _staying(plan: Plan) -> Iterator[tuple[str, str]]:
    """The parts that are needed at every step, and why."""
    parts, facts = plan.parts, plan.facts
    yield DENOISER, "it is trained"
    texts = [role for role in facts.roles if is_text(role)]
    if learning := parts.method.changed_roles(facts).intersection(texts):
        why = f"the text encoders stay, since what captions mean changes with what learns in {_listed(plan, learning)}"
        yield from ((role, why) for role in texts)
    if not parts.trainer.cache:
        yield AUTOENCODER, "the autoencoder stays, since trainer.cache=false"
    for member in parts.dataset.members.values():
        if reason := framing_of(member, facts).why_not_cacheable:
            yield AUTOENCODER, f"the autoencoder stays, since {reason}"


def _all_roles(plan: Plan) -> frozenset[str]:
    return frozenset({*plan.facts.roles, AUTOENCODER})


def _listed(plan: Plan, roles: frozenset[str]) -> str:
    quantised = plan.parts.model.quantised
    names = {role: f"{role} ({quantised[role].name})" if role in quantised else role for role in roles}
    return ", ".join(names[role] for role in (*plan.facts.roles, AUTOENCODER) if role in roles)
