"""Pictures whose own metadata speaks against training on them."""

import logging
from collections.abc import Iterator, Sequence

from imprint.data.dataset import OptOut
from imprint.data.decoding import BadPicture
from imprint.data.listing import printable
from imprint.data.pictures import PictureSet, bytes_of
from imprint.data.prior import Prior
from imprint.errors import Problem
from imprint.planning.subjects import Subject
from imprint.provenance.marks import read_marks

log = logging.getLogger(__name__)

STRICTEST_FIRST: Sequence[OptOut] = ("refuse", "tell", "ignore")


def opted_out(subjects: Sequence[Subject], prior: Prior | None) -> Iterator[Problem]:
    """The pictures that forbid training, or are marked synthetic: as problems, or as a warning, as their data set
    says. For photographs of the class it is the strictest of the data sets."""
    for concept, dataset, pictures in subjects:
        yield from _told(concept.key("opt_out"), dataset.opt_out, pictures)
    if prior is not None and subjects:
        said = min((dataset.opt_out for _, dataset, _ in subjects), key=STRICTEST_FIRST.index)
        for pictures in prior.photographs():
            yield from _told("dataset.opt_out", said, pictures)


def _told(key: str, opt_out: OptOut, pictures: PictureSet) -> Iterator[Problem]:
    if opt_out == "ignore" or not (found := list(reasons_against(pictures))):
        return
    listed = "".join(f"\n  - {name}: {', '.join(reasons)}" for name, reasons in found)
    if opt_out == "refuse":
        remedy = f"the metadata of these pictures speaks against training on them. Leave them out.{listed}"
        yield Problem(key, opt_out, remedy)
    else:
        log.warning(
            "The metadata of these pictures speaks against training on them. If they are your own, or you have leave, "
            "%s=ignore says so; refuse makes this an error.%s",
            key,
            listed,
        )


def reasons_against(pictures: PictureSet) -> Iterator[tuple[str, list[str]]]:
    """The name of each picture that has some, and what they are."""
    for picture, source in zip(pictures.pictures, pictures.sources, strict=True):
        try:
            marks = read_marks(bytes_of(source))
        except BadPicture:  # it was there a moment ago: who reads its pixels will tell
            continue
        if reasons := [*marks.reservations, *marks.synthetic]:
            yield picture.key, list(map(printable, reasons))
