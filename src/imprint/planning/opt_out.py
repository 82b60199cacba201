"""Pictures whose own metadata speaks against training on them."""

import logging
from collections.abc import Iterator, Sequence

from imprint.data.decoding import BadPicture
from imprint.data.pictures import PictureSet, bytes_of
from imprint.errors import Problem
from imprint.planning.subjects import Subject
from imprint.provenance.marks import read_marks

log = logging.getLogger(__name__)


def opted_out(subjects: Sequence[Subject]) -> Iterator[Problem]:
    """The pictures that forbid training, or are marked synthetic: as problems, or as a warning, as their data set
    says."""
    for concept, dataset, pictures in subjects:
        if dataset.opt_out == "ignore" or not (found := list(_reasons(pictures))):
            continue
        listed = "".join(f"\n  - {line}" for line in found)
        if dataset.opt_out == "refuse":
            remedy = f"the metadata of these pictures speaks against training on them. Leave them out.{listed}"
            yield Problem(concept.key("opt_out"), dataset.opt_out, remedy)
        else:
            log.warning(
                "The metadata of these pictures speaks against training on them. If they are your own, or you have "
                "leave, %s=ignore says so; refuse makes this an error.%s",
                concept.key("opt_out"),
                listed,
            )


def _reasons(pictures: PictureSet) -> Iterator[str]:
    for picture, source in zip(pictures.pictures, pictures.sources, strict=True):
        try:
            marks = read_marks(bytes_of(source))
        except BadPicture:  # it was there a moment ago: who reads its pixels will tell
            continue
        if reasons := [*marks.reservations, *marks.synthetic]:
            yield f"{picture.key}: {', '.join(reasons)}"
