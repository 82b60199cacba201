"""The class noun of a subject, from its pictures: what dataset.class_noun=auto stands for."""

import logging
from collections.abc import Sequence
from functools import partial

import torch
import yaml

from imprint.config import conf_folder
from imprint.data.dataset import AUTO, Dataset, JointDataset
from imprint.data.pictures import PictureSet
from imprint.errors import ConfigError, Problem
from imprint.evaluation.features import FeatureStore
from imprint.models.base import ModelSource
from imprint.planning.evaluable import ENCODER_BATCH_SIZE, photos_of
from imprint.planning.subjects import Candidates, collect
from imprint.suggestions import nearest

log = logging.getLogger(__name__)

ROLE = "clip"  # of the encoder of pictures and texts
CAPTION = "a photo of a {}"
MIN_PROBABILITY = 0.5  # below it no noun is chosen
SHOWN = 5  # nouns in messages and in the manifest


def find_nouns(
    dataset: Dataset | JointDataset, model: ModelSource | None, problems: list[Problem | str]
) -> dict[str, Candidates] | None:
    """What the pictures of each subject show, the most probable first. None where something is wrong."""
    found: dict[str, Candidates | None] = {}
    for name, member in dataset.members.items():
        if member.class_noun != AUTO:
            found[name] = {member.class_noun: 1.0}
            continue
        pictures = collect([], name, member.open)  # `find_subjects` reports what is wrong with them
        if model is not None and pictures is not None:
            found[name] = collect(problems, name, partial(name_class, member, pictures, model))
        else:
            found[name] = None
    return {name: candidates for name, candidates in found.items() if candidates} if all(found.values()) else None


def name_class(dataset: Dataset, pictures: PictureSet, model: ModelSource) -> Candidates:
    """The most probable nouns; the first is chosen. Features are cached by content, so calling it again is cheap.

    Raises ConfigError where there is no encoder, no such list, or no noun that is probable enough.
    """
    encoder = model.encoders.get(ROLE)
    if encoder is None:
        remedy = (
            "it takes a CLIP to tell from the pictures, and this model brings none. Say what they show, as "
            "dataset.class_noun=dog, or add one: +encoder@model.encoders.clip=clip_b32."
        )
        raise ConfigError([Problem("dataset.class_noun", dataset.class_noun, remedy)])
    encoder.check(f"model.encoders.{ROLE}")
    nouns = nouns_of(dataset.nouns)
    features = FeatureStore(encoders={ROLE: encoder}, batch_size=ENCODER_BATCH_SIZE, device="cpu")
    photos = photos_of(pictures, trained_on=True)
    images_ND = torch.nn.functional.normalize(features.images(ROLE, photos), dim=-1)
    texts_KD = torch.nn.functional.normalize(features.texts(ROLE, [CAPTION.format(noun) for noun in nouns]), dim=-1)
    found_K = (encoder.sharpness * (images_ND @ texts_KD.T).mean(dim=0)).softmax(dim=0)
    best_first = found_K.argsort(descending=True)[:SHOWN].tolist()
    candidates = {nouns[index]: round(float(found_K[index]), 3) for index in best_first}
    shown = ", ".join(f"{noun} {probability:.0%}" for noun, probability in candidates.items())
    best = next(iter(candidates))
    if candidates[best] < MIN_PROBABILITY:
        remedy = f"the pictures do not say it clearly ({shown}). Say what they show: dataset.class_noun={best}?"
        raise ConfigError([Problem("dataset.class_noun", dataset.class_noun, remedy)])
    log.info("The pictures of %s show: %s.", dataset.subject, shown)
    return candidates


def nouns_of(given: str | Sequence[str]) -> list[str]:
    """The nouns of a list in `conf/nouns`, or those given."""
    if not isinstance(given, str):
        return list(dict.fromkeys(given))
    lists = {file.stem: file for file in (conf_folder() / "nouns").glob("*.yaml")}
    if given not in lists:
        raise ConfigError([Problem("dataset.nouns", given, f"no such list; {nearest(given, lists)}")])
    content = yaml.safe_load(lists[given].read_text(encoding="utf-8"))["nouns"]
    return [noun for part in content for noun in ([part] if isinstance(part, str) else part)]
