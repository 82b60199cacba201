"""Copies by an encoder."""

from candidates import candidate, context, known, verdicts

from imprint.filters.near_copies import NearCopies

FEATURES = {
    "photo": [1, 0, 0],
    "test": [0, 1, 0],
    "far": [0, 0, 1],
    "far-mirrored": [0, 0, 1],
    "near": [1, 0, 0.2],
    "near-mirrored": [0, 0, 1],
    "turned": [0, 0, 1],
    "turned-mirrored": [0, 1, 0.1],
}
KNOWN = [known("photo"), known("test", trained_on=False)]


def test_the_nearest_photo_decides_mirrored_or_not() -> None:
    found = verdicts(
        NearCopies(encoder="sscd", most=0.5),
        [candidate(name) for name in ("far", "near", "turned")],
        context(KNOWN, FEATURES),
    )
    assert found == [(0, True), (0.981, False), (0.995, False)]


def test_the_photo_that_it_was_made_from_does_not_count() -> None:
    filter = NearCopies(encoder="sscd", most=0.5)
    assert verdicts(filter, [candidate("near", parent="photo.jpg")], context(KNOWN, FEATURES)) == [(0, True)]
    assert filter.judge([candidate("near", parent="photo.jpg")], context(KNOWN[:1], FEATURES), {}) == [None]
    assert filter.judge([candidate("near")], context([], FEATURES), {}) == [None]
