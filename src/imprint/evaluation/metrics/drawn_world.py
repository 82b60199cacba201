"""What pictures of the miniature's world truly show: right or wrong, by the world's own renderer and oracle.

Only the drawn world has a truth that can be looked up. Each picture scores 1 or 0; a mean is the share of right ones.
"""

from abc import abstractmethod
from collections.abc import Iterator
from string import Formatter

from imprint.errors import UserError
from imprint.evaluation.metrics.base import Metric, per_picture, shots_of
from imprint.evaluation.records import Candidate, Evidence, Needs, Question, Value
from imprint.kinds import of_kind
from imprint.miniature.asked import SUBJECT, Asked, asked
from imprint.miniature.canvas import SIZE
from imprint.miniature.scene import Subject
from imprint.miniature.subjects import by_name

SHOWN = 3  # prompts in a message


class Truth(Metric):
    """The share of pictures that show what was asked for. Pictures of prompts that do not ask for it have no value.

    `encoder` is the role of one that answers questions about the drawn world (encoders/drawn_world.py).
    """

    better = "higher"
    bounds = (0.0, 1.0)
    answers_photos = False  # whether the photos themselves answer it
    asks_for: str  # as messages call what a prompt may ask for

    def __init__(self, *, encoder: str) -> None:
        self.encoder = encoder

    @property
    def needs(self) -> Needs:
        photos = int(self.answers_photos)
        return Needs(sets=("subject",), untuned=(), encoders=(self.encoder,), photos=photos, sides=("answers",))

    def problems(self, candidate: Candidate) -> Iterator[str]:
        who = individual(candidate.name)
        if who is None or who.noun != candidate.noun or any(size != (SIZE, SIZE) for size in candidate.photo_sizes):
            yield (
                f"the truth is known of the drawn world's individuals, in photos of {SIZE} x {SIZE} pixels, and "
                f"{candidate.name} ({candidate.noun}) is none of them. Choose dataset=mini/..., or one that "
                "`python -m imprint.miniature export` writes, under its own name and class noun."
            )
            return
        templates = [template for template, _ in candidate.prompts.get("subject", ())]
        foreign = {template: wanted.unknown for template in templates if (wanted := asked_by(template)).unknown}
        if foreign:
            words = "; ".join(f"{template!r}: {unknown}" for template, unknown in [*foreign.items()][:SHOWN])
            more = f"; and {len(foreign) - SHOWN} more" if len(foreign) > SHOWN else ""
            yield (
                f"these prompts say what the drawn world has no picture of ({words}{more}). Choose other prompts, or "
                "name the categories that count in evaluation.counted."
            )
        elif not any(self.question(who, asked_by(template)) for template in templates):
            yield f"no prompt asks for {self.asks_for}. Choose others."

    def measure(self, evidence: Evidence) -> list[Value]:
        who = individual(evidence.subject)
        if who is None:
            raise UserError(f"{self.title}: {evidence.subject} is no individual of the drawn world.")
        shots = shots_of(evidence, "subject", self.title)
        questions = [self.question(who, asked_by(shot.request.template)) for shot in shots]
        pairs = [(shot, question) for shot, question in zip(shots, questions, strict=True) if question]
        if not pairs:
            raise UserError(
                f"{self.title} of {evidence.subject}: no usable picture of a prompt that asks for {self.asks_for}. "
                "Draw what failed again, or leave the metric out."
            )
        judged, about = (list(one) for one in zip(*pairs, strict=True))
        return per_picture(judged, evidence.features.answers(self.encoder, judged, about))

    @abstractmethod
    def question(self, who: Subject, wanted: Asked) -> Question | None:
        """What to ask about a picture of `who` from such a prompt; None where it does not count."""


@of_kind("metric/right_class")
class RightClass(Truth):
    """Whether the oracle reads the subject's class."""

    title = "right class"
    answers_photos = True
    asks_for = "the subject"

    def question(self, who: Subject, wanted: Asked) -> Question | None:
        return ("noun", who.noun)


@of_kind("metric/right_place")
class RightPlace(Truth):
    """Whether the oracle reads the place that the prompt names."""

    title = "right place"
    asks_for = "a place"

    def question(self, who: Subject, wanted: Asked) -> Question | None:
        return ("place", wanted.place) if wanted.place else None


@of_kind("metric/right_attribute")
class RightAttribute(Truth):
    """Whether the picture has the property or the accessory that the prompt names."""

    title = "right attribute"
    asks_for = "a property or an accessory"

    def question(self, who: Subject, wanted: Asked) -> Question | None:
        return ("attribute", wanted.attribute, who.name if is_plain(wanted) else "") if wanted.attribute else None


@of_kind("metric/right_individual")
class RightIndividual(Truth):
    """Whether the subject, of eight of its class, lies nearest to the picture by its true pixels. One in eight is luck.

    Each is drawn as it is, and with the attribute that the prompt names: a picture that lost the attribute may still
    show the subject. Only drawings from the front are known, so prompts of other styles and views do not count.
    """

    title = "right individual"
    answers_photos = True
    asks_for = "a drawing of the subject from the front"

    def question(self, who: Subject, wanted: Asked) -> Question | None:
        return ("individual", who.name, wanted.attribute) if is_plain(wanted) else None


def asked_by(template: str) -> Asked:
    """By a prompt's template. Photos have an empty one, which asks for the subject alone."""
    has_noun = "noun" in {name for _, name, _, _ in Formatter().parse(template)}
    return asked(template.format(identifier="" if has_noun else SUBJECT, noun=SUBJECT))


def is_plain(wanted: Asked) -> bool:
    """Whether true pixels can be compared: they are known of drawings from the front."""
    return (wanted.style, wanted.view) == ("drawing", "front")


def individual(name: str) -> Subject | None:
    """The one that a subject's name means, which is followed by another in parentheses where a run has it twice."""
    return by_name(name.partition(" (")[0])
