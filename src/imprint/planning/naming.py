"""The class noun of a subject, from its pictures: what dataset.class_noun=auto stands for."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial

import torch
import yaml

from imprint.config import conf_folder
from imprint.data.dataset import Dataset
from imprint.data.pictures import PictureSet
from imprint.errors import ConfigError, Problem
from imprint.evaluation.features import FeatureStore
from imprint.evaluation.records import Photo
from imprint.models.base import ModelSource
from imprint.suggestions import nearest

log = logging.getLogger(__name__)

ROLE = "clip"  # of the encoder that sees pictures and texts alike
CAPTION = "a photo of a {}"
ENOUGH = 0.5  # the probability below which nothing is chosen
TOLD = 5
AT_ONCE = 32  # changes memory and time alone

Candidates = Mapping[str, float]  # noun -> probability, likeliest first


def name_class(dataset: Dataset, pictures: PictureSet, model: ModelSource) -> Candidates:
    """The likeliest nouns; the first is the one. Features are kept by content, so asking again is cheap.

    Raises ConfigError where there is no encoder, no such list, or no noun that is likely enough.
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
    features = FeatureStore(encoders={ROLE: encoder}, batch_size=AT_ONCE, device="cpu")
    photos = [
        Photo(picture.key, picture.content, True, partial(pictures.load, index))
        for index, picture in enumerate(pictures.pictures)
    ]
    images_ND = torch.nn.functional.normalize(features.images(ROLE, photos), dim=-1)
    texts_KD = torch.nn.functional.normalize(features.texts(ROLE, [CAPTION.format(noun) for noun in nouns]), dim=-1)
    found_K = (encoder.sharpness * (images_ND @ texts_KD.T).mean(dim=0)).softmax(dim=0)
    likeliest = found_K.argsort(descending=True)[:TOLD].tolist()
    candidates = {nouns[index]: round(float(found_K[index]), 3) for index in likeliest}
    told = ", ".join(f"{noun} {probability:.0%}" for noun, probability in candidates.items())
    best = next(iter(candidates))
    if candidates[best] < ENOUGH:
        remedy = f"the pictures do not say it clearly ({told}). Say what they show: dataset.class_noun={best}?"
        raise ConfigError([Problem("dataset.class_noun", dataset.class_noun, remedy)])
    log.info("The pictures of %s show: %s.", dataset.subject, told)
    return candidates


def nouns_of(given: str | Sequence[str]) -> list[str]:
    """The nouns of a list that `conf/nouns` has, or those given."""
    if not isinstance(given, str):
        return list(dict.fromkeys(given))
    lists = {file.stem: file for file in (conf_folder() / "nouns").glob("*.yaml")}
    if given not in lists:
        raise ConfigError([Problem("dataset.nouns", given, f"no such list; {nearest(given, lists)}")])
    content = yaml.safe_load(lists[given].read_text(encoding="utf-8"))["nouns"]
    return [noun for part in content for noun in ([part] if isinstance(part, str) else part)]
