"""A sweep's pictures: a row a prompt and seed, a column a point."""

from collections.abc import Iterator, Sequence

from PIL import Image

from imprint.reporting.matrix import Matrix, MatrixPicture, sheet
from imprint.reporting.record import RunRecord
from imprint.reporting.sheet import spread
from imprint.reporting.side_by_side import Gallery, Row, galleries

COLUMNS = 12  # of one picture; more points have more pictures, each with the untuned model's column
ROWS = 8  # prompts and seeds; of more, evenly spread ones
MOST = 2000  # pictures in all


def sweep_pictures(records: Sequence[RunRecord], axes: Sequence[str]) -> Iterator[tuple[str, Image.Image]]:
    """Captions and pictures, of the points that have drawn any."""
    for gallery in galleries(records, axes, most=MOST):
        rows = [gallery.rows[index] for index in spread(range(len(gallery.rows)), ROWS)]
        untuned = [index for index, column in enumerate(gallery.columns) if not column.run]
        points = [index for index, column in enumerate(gallery.columns) if column.run]
        room = COLUMNS - len(untuned)
        for first in range(0, len(points), room):
            shown = points[first : first + room]
            part = f", points {first + 1} to {first + len(shown)} of {len(points)}" if len(points) > room else ""
            yield f"{gallery.title}{part}", sheet(_matrix(gallery, rows, [*untuned, *shown]))


def _matrix(gallery: Gallery, rows: Sequence[Row], shown: Sequence[int]) -> Matrix:
    """Every row has the same columns."""
    headings = {_told(row, gallery): row for row in rows}
    pictures = [
        MatrixPicture(picture.label, heading, row.seed, picture.file, row.prompt)
        for heading, row in headings.items()
        for picture in (row.pictures[index] for index in shown)
    ]
    return Matrix(
        prompt=gallery.title,
        x_heading="points",
        x_labels=tuple(rows[0].pictures[index].label for index in shown),
        y_heading=f"prompt, {gallery.counted}",
        y_labels=tuple(headings),
        seeds=(),
        pictures=pictures,
    )


def _told(row: Row, gallery: Gallery) -> str:
    return f"{row.prompt}, {gallery.counted} {row.seed}"
