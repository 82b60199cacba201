"""The miniature's world, which knows what its pictures show: the oracle's answers, and candidates' true pixels."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from imprint.errors import ModelNotFound, Problem, UserError
from imprint.evaluation.encoders.base import Encoder
from imprint.evaluation.encoders.transform import Transform
from imprint.evaluation.records import Question
from imprint.hashing import fingerprint
from imprint.kinds import hashed_class, of_kind
from imprint.libraries.process import quiet_model_libraries
from imprint.locations import locate
from imprint.miniature.canvas import SIZE
from imprint.miniature.quality.recognition import recognise
from imprint.miniature.recipe.oracle import QUESTIONS
from imprint.miniature.subjects import by_name, kin_of

FILES = ("config.json", "model.safetensors")


@of_kind("encoder/drawn_world")
class DrawnWorld(Encoder):
    """`source` is the folder of the oracle, a network that reads class (noun), place and attribute off a picture.

    noun, dog               whether the oracle reads it
    place, jungle           the same
    individual, dog6, red   whether of the true pixels of eight dogs, each as it is and in red, some of dog6 lie nearest
    attribute, red, dog6    whether the oracle reads it, or dog6 in red lies nearest. That a dog is red for once, the
                            oracle, which does not know the dog, misses in a quarter of true pictures

    The individual's attribute, and the attribute's individual, may be empty.
    """

    sides = frozenset({"answers"})

    def __init__(self, *, name: str, source: str, transform: Transform) -> None:
        super().__init__(name=name)
        self.source = source
        self.transform = transform

    @property
    def fingerprint(self) -> str:
        content = fingerprint({name: locate(self.source) / name for name in FILES})
        facts = [hashed_class(type(self)), content, self.transform.settings()]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def check(self, key: str = "encoder") -> None:
        folder = locate(self.source)
        if missing := [name for name in FILES if not (folder / name).is_file()]:
            remedy = f"{folder} has no {' and no '.join(missing)}. Give pkg://imprint.miniature/evaluators/oracle."
            raise ModelNotFound(str(Problem(f"{key}.source", self.source, remedy)))
        if self.transform.crop != SIZE:
            remedy = f"the drawn world's pictures have {SIZE} pixels on a side. Give {SIZE}."
            raise UserError(str(Problem(f"{key}.transform.crop", self.transform.crop, remedy)))

    @torch.inference_mode()
    def answers(self, pictures: Sequence[Image.Image], questions: Sequence[Question]) -> Tensor:
        read = {name: logits_BA.argmax(1) for name, logits_BA in self._oracle(self.transform(pictures)).items()}
        said = [
            self._is_so(
                picture, {name: QUESTIONS[name][answers_B[index]] for name, answers_B in read.items()}, question
            )
            for index, (picture, question) in enumerate(zip(pictures, questions, strict=True))
        ]
        return torch.tensor(said, dtype=torch.float32)

    def _is_so(self, picture: Image.Image, read: Mapping[str, str], question: Question) -> bool:
        kind, answer, *rest = question
        if kind == "individual":
            return _nearest(self.transform.framed(picture), answer, *rest)[0] == answer
        if kind == "attribute" and read[kind] != answer and any(rest):
            [name] = rest
            return _nearest(self.transform.framed(picture), name, answer) == (name, answer)
        return read[kind] == answer

    @cached_property
    def _oracle(self) -> Any:
        """Small enough for the processor, on whichever device the other encoders are."""
        with quiet_model_libraries():
            from imprint.miniature.recipe.bundle import read_oracle  # with the libraries that train it

            try:
                return read_oracle(locate(self.source))
            except Exception as error:  # whatever the readers raise
                remedy = f"the oracle cannot be read ({error}). Get its files again."
                raise UserError(str(Problem("source", self.source, remedy))) from error


def _nearest(picture: Image.Image, name: str, attribute: str) -> tuple[str, str]:
    """Which of the individual's kin is nearest, as it is or with the attribute; and with which of both."""
    who = by_name(name)
    assert who is not None
    kin = kin_of(who)
    found = [(recognise(picture, kin, noun=who.noun, attribute=drawn), drawn) for drawn in sorted({"", attribute})]
    match, drawn = min(found, key=lambda one: one[0].difference if one[0] else math.inf)
    assert match is not None  # the individual is of its own class
    return match.subject.name, drawn
