"""That what is tested on was not trained on: no photo of a test, nor a copy or a child of one, is in another split."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from PIL import Image

from imprint.data.listing import printable
from imprint.errors import PictureError
from imprint.hashing import file_hash
from imprint.labelled.folder import LabelledFolder
from imprint.labelled.known_copies import KnownCopies
from imprint.labelled.layout import TEST
from imprint.labelled.row import Row
from imprint.pictures.likeness import CROP, Pixels, either_way, is_copy, nearest_same

SHOWN = 20  # that one message lists


class Side(NamedTuple):
    """The pictures of some splits of a data set."""

    data: LabelledFolder
    at: Sequence[tuple[str, Row]]
    contents: Sequence[str]  # hashes of their files

    @classmethod
    def of(cls, data: LabelledFolder, splits: Sequence[str]) -> "Side":
        at = [(split, row) for split in splits for row in data.splits.get(split, ())]
        return cls(data, at, [file_hash(data.file(*each)) for each in at])

    def pictures(self, numbers: Iterable[int]) -> Iterator[Image.Image]:
        return (self.data.load(*self.at[number]) for number in numbers)

    def name(self, number: int) -> str:
        split, row = self.at[number]
        return printable(f"{split}/{row.file_name}".lstrip("/"))


class Part(NamedTuple):
    """A picture that repeats a part of a photo to test on, said in a few words; `content` is its file's hash."""

    said: str
    content: str


class Shared(NamedTuple):
    """What a test has in common with what is learned from, each said in a few words. `parts` are found by
    correlations, which may be wrong where pictures have little to tell them apart."""

    copies: Sequence[str]  # drawn pictures in the test, children of its photos, copies
    parts: Sequence[Part]


def check_splits(data: LabelledFolder, *, tested: LabelledFolder | None = None) -> None:
    """`tested` is a data set of its own to test with; without one it is the test split. Raises PictureError that names
    what is on both sides."""
    shared = shared_with_test(data, tested=tested)
    refuse_shared(data, [*shared.copies, *(part.said for part in shared.parts)])


def shared_with_test(
    data: LabelledFolder, *, tested: LabelledFolder | None, unused: Collection[str] = frozenset()
) -> Shared:
    """As `check_splits`, for those who decide by themselves. Of pictures whose contents are `unused`, nobody learns:
    parts are not looked for among them."""
    test = Side.of(data, [TEST]) if tested is None else Side.of(tested, _test_splits(tested))
    train = Side.of(data, [split for split in data.splits if split != TEST])
    same = _same(train, test)
    copies = [*_drawn(test), *_children(train, test), *_copies(train, test, same)]
    return Shared(copies, list(_parts(train, test, same, unused)))


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


def _same(train: Side, test: Side) -> list[frozenset[str]]:
    """Of each picture to learn from: the contents of those to test on that show the same."""

    def look(numbers: Sequence[int], others: Sequence[int]) -> list[list[int]]:
        return nearest_same(train.pictures(numbers), test.pictures(others))

    return _looked_up("same", train, range(len(train.at)), test, range(len(test.at)), look=look)


def _copies(train: Side, test: Side, same: Sequence[frozenset[str]]) -> Iterator[str]:
    """By pixels: saved again, scaled, mirrored."""
    for number, found in enumerate(same):
        for other, content in enumerate(test.contents):
            if content in found:
                yield f"{train.name(number)} shows the same as {test.name(other)}"


def _parts(train: Side, test: Side, same: Sequence[frozenset[str]], unused: Collection[str]) -> Iterator[Part]:
    """Of one class, cut out of one another."""

    def look(numbers: Sequence[int], others: Sequence[int]) -> list[list[int]]:
        pictures, photos = Pixels(train.pictures(numbers)), Pixels(test.pictures(others))
        maybe_NM = either_way(pictures, photos, threshold=CROP) >= CROP
        return [
            [column for column in row.nonzero().flatten().tolist() if is_copy(pictures, photos, number, column)]
            for number, row in enumerate(maybe_NM)
        ]

    trained, tested = _nouns(train, test)
    for noun in sorted({*trained} & {*tested}):
        some = [n for n, own in enumerate(trained) if own == noun and train.contents[n] not in unused]
        others = [number for number, own in enumerate(tested) if own == noun]
        for number, found in zip(some, _looked_up("parts", train, some, test, others, look=look), strict=True):
            for other in others:
                if test.contents[other] in found - same[number]:
                    said = f"{train.name(number)} repeats a part of {test.name(other)}"
                    yield Part(said, train.contents[number])


def _looked_up(
    kind: str,
    train: Side,
    numbers: Sequence[int],
    test: Side,
    others: Sequence[int],
    *,
    look: Callable[[Sequence[int], Sequence[int]], Sequence[Sequence[int]]],
) -> list[frozenset[str]]:
    """Of each of these pictures the contents of `others` that it is a copy of: as known from before, else by `look`,
    which has numbers within `others`."""
    known = KnownCopies(kind, [test.contents[other] for other in others])
    found = known.read()
    missing = [number for number in numbers if train.contents[number] not in found] if others else []
    if missing:
        places = [[test.contents[others[place]] for place in each] for each in look(missing, others)]
        new = {train.contents[number]: own for number, own in zip(missing, places, strict=True)}
        known.add(new)
        found |= new
    return [frozenset(found.get(train.contents[number], ())) for number in numbers]


def _nouns(*sides: Side) -> list[list[str]]:
    """Of each side's pictures. In a folder of folders a subject is its own class: another side may say more of it."""
    known = {row.subject: row.noun for side in sides for _, row in side.at if row.noun != row.subject}
    return [[known.get(row.subject, row.noun) for _, row in side.at] for side in sides]
