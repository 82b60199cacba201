"""From drawn pictures to a labelled data set: rows, masks, what filters say, and the files where they belong."""

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from imprint.data.decoding import decode_mask, read
from imprint.errors import UserError
from imprint.evaluation.features import FeatureStore
from imprint.evaluation.records import Photo
from imprint.files import write_text
from imprint.filters.base import Candidate, Context, Filter, Known
from imprint.filters.judging import judge
from imprint.hashing import file_hash
from imprint.labelled.card import card
from imprint.labelled.folder import add_photo, place, read_folder, split_folder, write_folder
from imprint.labelled.formats.croissant import write_croissant
from imprint.labelled.layout import CARD, REJECTED, TEST, TRAIN, mask_name, picture_name
from imprint.labelled.row import Box, Quality, Row
from imprint.masks.base import Estimator
from imprint.partial_files import partial_file
from imprint.pictures.files import open_picture, save_png
from imprint.synthesis.base import Asked, Synthesis
from imprint.synthesis.cut_out import HALF
from imprint.synthesis.drawing import Drawn
from imprint.synthesis.held_out import HeldOut
from imprint.synthesis.taught import Taught


def write_data_set(
    folder: Path,
    drawn: Sequence[Drawn],
    method: Synthesis,
    estimator: Estimator | None,
    *,
    filters: Mapping[str, Filter],
    context: Context,
    test: Sequence[HeldOut],
    about: Mapping[str, Any],
) -> dict[str, dict[str, int]]:
    """How many pictures of each subject were asked for and kept.

    Raises UserError, when all of it is written, with what filters leave too few of.
    """
    candidates = []
    for one in drawn:
        mask = _mask(folder, one, method, estimator)
        row = _row(one.asked, method, mask, guidance=one.guidance)
        _put(folder, one, row, None if mask is None else mask.picture)
        split = next(split for split in (TRAIN, REJECTED) if (split_folder(folder, split) / row.file_name).is_file())
        own_mask = split_folder(folder, split) / row.mask_file_name if mask else None
        file = split_folder(folder, split) / row.file_name
        candidates.append(Candidate(row, file, one.content, _plain(one.asked), own_mask))
    judgement = judge(filters, candidates, context)
    for row in judgement.rows:
        place(folder, row, split=REJECTED if row.reasons else TRAIN)
    tested = [_tested(folder, held_out) for held_out in test]
    counts = {
        subject: {"asked": len(rows), "kept": sum(not row.reasons for row in rows)}
        for subject, rows in _by_subject(judgement.rows).items()
    }
    write_folder(
        folder,
        splits={TRAIN: judgement.kept, TEST: tested},
        rejected=judgement.rejected,
        about={**about, "counts": counts},
    )
    written = read_folder(folder)
    write_text(folder / CARD, card(written, name=folder.name))
    write_croissant(written, name=folder.name)
    if judgement.problems:
        raise UserError("\n".join(judgement.problems))
    return counts


def _tested(folder: Path, held_out: HeldOut) -> Row:
    """A photo to test on, put into its split with its mask."""
    row, mask = held_out.row, held_out.mask
    add_photo(folder, held_out.photo, row, split=TEST)
    if mask is None:
        return row
    mask = mask.resize(held_out.photo.size, Image.Resampling.NEAREST).point(lambda level: 255 * (level > HALF))
    file = split_folder(folder, TEST) / row.mask_file_name
    if not file.is_file():
        save_png(mask, file)
    return replace(row, objects=[Box(label=row.subject, box=_box(mask))])


def context_of(subjects: Sequence[Taught], test: Sequence[HeldOut], features: FeatureStore) -> Context:
    """The photos that filters judge by."""
    trained = [
        Known(subject.label, subject.noun, Photo(photo.key, photo.content, True, partial(subject.photos.load, index)))
        for subject in subjects
        for index, photo in enumerate(subject.photos.pictures)
    ]
    known = [*trained, *(_known(one) for one in test)]
    return Context(subjects=tuple(subject.label for subject in subjects), known=known, features=features)


def _known(held_out: HeldOut) -> Known:
    row, photo = held_out.row, held_out.photo
    content = hashlib.blake2b(photo.tobytes(), digest_size=16).hexdigest()
    return Known(row.subject, row.noun, Photo(held_out.name, content, False, lambda: photo))


class _Mask(NamedTuple):
    picture: Image.Image
    quality: Quality
    estimator: str


def _mask(folder: Path, drawn: Drawn, method: Synthesis, estimator: Estimator | None) -> _Mask | None:
    """As the method knows it; where it does not, estimated once, if that is asked for, of a picture that shows one
    subject alone."""
    asked = drawn.asked
    if (known := method.mask(asked)) is not None:
        by = "" if asked.photo is None else asked.seen.estimated_by(asked.photo)
        return _Mask(known[0], "estimated" if by else known[1], by)
    if estimator is None or len(asked.labels) > 1:
        return None
    name = mask_name(picture_name(asked.subject.label, asked.number, asked.k))
    for split in (TRAIN, REJECTED):
        if (file := split_folder(folder, split) / name).is_file():
            return _Mask(decode_mask(read(file)), "estimated", estimator.said)
    [found] = estimator.masks([open_picture(drawn.file)], [asked.subject.noun])
    return None if found is None else _Mask(found, "estimated", estimator.said)


def _row(asked: Asked, method: Synthesis, mask: _Mask | None, *, guidance: float) -> Row:
    file_name = picture_name(asked.subject.label, asked.number, asked.k)
    return Row(
        file_name=file_name,
        mask_file_name=mask_name(file_name) if mask else "",
        subject=asked.subject.label,
        noun=asked.subject.noun,
        labels=asked.labels,
        source=method.name,
        prompt=asked.prompt,
        seed=asked.seed,
        k=asked.k,
        parent=asked.parent,
        strength=asked.strength or 0.0,
        guidance=guidance,
        run=asked.subject.run.folder.name if method.weights == "tuned" else "",
        label_quality=mask.quality if mask else "",
        estimator=mask.estimator if mask else "",
        objects=[Box(label=asked.subject.label, box=_box(mask.picture))] if mask else [],
    )


def _box(mask: Image.Image) -> tuple[float, float, float, float]:
    """Left, top, width, height."""
    left, top, right, bottom = mask.point(lambda level: 255 * (level > HALF)).getbbox() or (0, 0, 0, 0)
    return float(left), float(top), float(right - left), float(bottom - top)


def _put(folder: Path, drawn: Drawn, row: Row, mask: Image.Image | None) -> None:
    """Where it was put before, or to those that are kept."""
    homes = [split_folder(folder, split) for split in (TRAIN, REJECTED)]
    home = next((home for home in homes if (home / row.file_name).is_file()), homes[0])
    target = home / row.file_name
    if not target.is_file() or file_hash(target) != drawn.content:
        target.parent.mkdir(parents=True, exist_ok=True)
        with partial_file(target) as temporary:
            _link(drawn.file, temporary)
            temporary.replace(target)
    if mask is not None and not (home / row.mask_file_name).is_file():
        save_png(mask.point(lambda level: 255 * (level > HALF)), home / row.mask_file_name)


def _link(file: Path, copy: Path) -> None:
    """Without taking space twice, where the file system can."""
    with suppress(OSError):
        os.link(file, copy)
        return
    shutil.copyfile(file, copy)


def _plain(asked: Asked) -> str:
    """What the picture should show, in words that anybody knows."""
    return " ".join(asked.subject.concept._replace(identifier="").fill(asked.template).split())


def _by_subject(rows: Sequence[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row.subject, []).append(row)
    return found
