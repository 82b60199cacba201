"""Learned words from files that other programs wrote."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from imprint.errors import UserError
from imprint.methods.word_files import FRONT_ENDS_KEY
from imprint.models.facts import MetaModel
from imprint.results.external_file import ExternalFile
from imprint.results.external_names import split

WORDS_OF = {
    frozenset({"clip_l", "clip_g"}): "Stable Diffusion XL",
    frozenset({"clip_l"}): "Stable Diffusion 1.x or 2.x",
}
OF_VOCABULARIES = {"clip_l", "clip_g", "t5"}  # what files call the vectors of models with several text encoders


class Words(NamedTuple):
    """Word -> vocabulary -> (N, D). A word that the file does not name is called ""."""

    vectors: Mapping[str, Mapping[str, Tensor]]


def read_words(file: ExternalFile, meta: MetaModel) -> Words | None:
    """None for a file of something else. Raises UserError for words that are not for this model."""
    words = _words(file.content, list(meta.widths))
    return None if words is None else Words({word: _checked(file, word, own, meta) for word, own in words.items()})


def _words(content: Mapping[str, Any], vocabularies: Sequence[str]) -> dict[str, dict[str, Any]] | None:
    """By vocabularies, as models with several have them; else the original program's format or A1111's two, or
    diffusers': tensors named by words."""
    inner = content.get("string_to_param")
    if isinstance(inner, Mapping) and inner:
        return {"": {vocabularies[0]: next(iter(inner.values()))}}
    if FRONT_ENDS_KEY in content:
        return {"": {vocabularies[0]: content[FRONT_ENDS_KEY]}}
    tensors = {key: value for key, value in content.items() if isinstance(value, Tensor)}
    plain = tensors and all(value.ndim <= 2 and split(key) is None and "." not in key for key, value in tensors.items())
    if not plain or len(tensors) < len(content):
        return None
    if tensors.keys() <= OF_VOCABULARIES:
        return {"": tensors}
    return {word: {vocabularies[0]: x} for word, x in tensors.items()}


def _checked(file: ExternalFile, word: str, vectors: Mapping[str, Any], meta: MetaModel) -> dict[str, Tensor]:
    named = f"files={file.path}: {word or 'its word'}"
    if vectors.keys() != meta.widths.keys():
        there, here = ", ".join(sorted(vectors)), ", ".join(meta.widths)
        raise UserError(
            f"{named} was learned for the vocabularies {there}, and those of this model are {here}. It was learned for "
            f"{WORDS_OF.get(frozenset(vectors), 'another kind of model')}."
        )
    rows: dict[str, Tensor] = {}
    for name, x in vectors.items():
        if not isinstance(x, Tensor) or x.ndim not in (1, 2) or not len(x):
            raise UserError(f"{named} has no vectors. Get the file again.")
        rows[name] = (x if x.ndim == 2 else x[None]).detach().float().contiguous()
        if rows[name].shape[1] != meta.widths[name]:
            kind = f"vectors of {rows[name].shape[1]} numbers, this model's have {meta.widths[name]}"
            raise UserError(f"{named} has {kind}. It was learned for another kind of model.")
        if not rows[name].isfinite().all():
            raise UserError(f"{named} holds NaN or infinite numbers: its training failed. Get another file.")
    return rows
