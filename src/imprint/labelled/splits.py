"""That what is tested on was not trained on: no photo of a test, nor a copy or a child of one, is in another split."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from PIL import Image

from imprint.data.listing import printable
from imprint.errors import PictureError
from imprint.labelled.folder import LabelledFolder
from imprint.labelled.layout import TEST
from imprint.labelled.row import Row
from imprint.pictures.likeness import CROP, Pixels, either_way, nearest_same

SHOWN = 20  # that one message lists


class Side(NamedTuple):
    """The pictures of some splits of a data set."""

    data: LabelledFolder
    at: Sequence[tuple[str, Row]]

    @classmethod
    def of(cls, data: LabelledFolder, splits: Sequence[str]) -> "Side":
        return cls(data, [(split, row) for split in splits for row in data.splits.get(split, ())])

    def pictures(self, numbers: Iterable[int]) -> Iterator[Image.Image]:
        return (self.data.load(*self.at[number]) for number in numbers)

    def name(self, number: int) -> str:
        split, row = self.at[number]
        return printable(f"{split}/{row.file_name}".lstrip("/"))


class Shared(NamedTuple):
    """What a test has in common with what is learned from, each said in a few words. `parts` are found by a
    correlation, which may be wrong where places are plain."""

    copies: Sequence[str]  # drawn pictures in the test, children of its photos, copies
    parts: Sequence[str]


def check_splits(data: LabelledFolder, *, tested: LabelledFolder | None = None) -> None:
    """`tested` is a data set of its own to test with; without one it is the test split. Raises PictureError that names
    what is on both sides."""
    shared = shared_with_test(data, tested=tested)
    refuse_shared(data, [*shared.copies, *shared.parts])


def shared_with_test(data: LabelledFolder, *, tested: LabelledFolder | None) -> Shared:
    """As `check_splits`, for those who decide by themselves."""
    test = Side.of(data, [TEST]) if tested is None else Side.of(tested, _test_splits(tested))
    train = Side.of(data, [split for split in data.splits if split != TEST])
    same = nearest_same(train.pictures(range(len(train.at))), test.pictures(range(len(test.at)))) if test.at else []
    copies = [*_drawn(test), *_children(train, test), *_copies(train, test, same)]
    return Shared(copies, list(_parts(train, test, same)))


def refuse_shared(data: LabelledFolder, faults: Sequence[str]) -> None:
    """Raises PictureError if there are any."""
    if faults:
        more = [f"... and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
        listed = "\n".join(f"  - {fault}" for fault in [*faults[:SHOWN], *more])
        raise PictureError(
            f"{printable(data.folder)}: what is tested on must be photos that nothing was learned from:\n{listed}\n"
            "Leave them out of one of the two."
        )


def _test_splits(tested: LabelledFolder) -> list[str]:
    """Its test split; all of it where it has none."""
    return [TEST] if tested.splits.get(TEST) else list(tested.splits)


def _drawn(test: Side) -> Iterator[str]:
    for number, (_, row) in enumerate(test.at):
        if not row.is_real:
            yield f"{test.name(number)} was made by {printable(row.source)}"


def _children(train: Side, test: Side) -> Iterator[str]:
    """Pictures that were made from a photo of the test."""
    if train.data is not test.data:  # a name means a photo of its own data set
        return
    photos = {row.file_name for _, row in test.at}
    for number, (_, row) in enumerate(train.at):
        if row.parent in photos:
            yield f"{train.name(number)} was made from {TEST}/{printable(row.parent)}"


def _copies(train: Side, test: Side, same: Sequence[Sequence[int]]) -> Iterator[str]:
    """By pixels: saved again, scaled, mirrored."""
    for number, found in enumerate(same):
        yield from (f"{train.name(number)} shows the same as {test.name(other)}" for other in found)


def _parts(train: Side, test: Side, same: Sequence[Sequence[int]]) -> Iterator[str]:
    """Of one class, cut out of one another."""
    trained, tested = _nouns(train, test)
    for noun in sorted({*trained} & {*tested}):
        some = [number for number, own in enumerate(trained) if own == noun]
        others = [number for number, own in enumerate(tested) if own == noun]
        likeness_NM = either_way(Pixels(train.pictures(some)), Pixels(test.pictures(others)), threshold=CROP)
        for row, column in (likeness_NM >= CROP).nonzero().tolist():
            if others[column] not in same[some[row]]:
                yield f"{train.name(some[row])} repeats a part of {test.name(others[column])}"


def _nouns(*sides: Side) -> list[list[str]]:
    """Of each side's pictures. In a folder of folders a subject is its own class: another side may say more of it."""
    known = {row.subject: row.noun for side in sides for _, row in side.at if row.noun != row.subject}
    return [[known.get(row.subject, row.noun) for _, row in side.at] for side in sides]
