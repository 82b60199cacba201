"""Several subjects share a stream: each is seen as often as the others, under its own words."""

from collections import Counter
from typing import Any

import pytest

from imprint.data.dataset import JointDataset
from imprint.data.framing import Framing
from imprint.data.pictures import PictureSet
from imprint.data.stream import TrainingStream, collate
from imprint.data.subject import PriorPictures, SamePictures, SubjectSamples

SQUARE = (24, 24)


def subject(number: int, pictures: PictureSet, crop: str = "centre", **changes: Any) -> SubjectSamples:
    settings: dict[str, Any] = {
        "captions": [f"word {number}"],
        "caption_dropout": 0.0,
        "prior": None,
        "framing": Framing(crop=crop, flip=False, resolution=24, multiple=8),  # type: ignore[arg-type]
        "seed": 0,
        "batch_size": 3,
    }
    return SubjectSamples(number=number, pictures=pictures, **(settings | changes))


def stream_of(*subjects: SubjectSamples) -> TrainingStream:
    return TrainingStream(subjects=subjects, batch_size=3, with_pixels=False)


@pytest.fixture
def stream(make_set) -> TrainingStream:
    """Five pictures of one subject, two of another."""
    return stream_of(subject(0, make_set("a", [SQUARE] * 5)), subject(1, make_set("bb", [SQUARE] * 2)))


def test_each_is_seen_equally_often_however_many_pictures_it_has(stream: TrainingStream) -> None:
    samples = [stream[position][0] for position in range(40)]
    for end in range(2, 41, 2):
        assert Counter(sample.caption for sample in samples[:end]) == {"word 0": end // 2, "word 1": end // 2}
    counts = Counter(sample.key for sample in samples)
    assert sorted(counts.values()) == [4] * 5 + [10] * 2


def test_a_caption_is_of_the_subject_that_is_shown(stream: TrainingStream) -> None:
    owner = {
        f"{picture.content}": f"word {n}"
        for n, part in enumerate(stream.subjects)
        for picture in part.pictures.pictures
    }
    for position in range(20):
        (sample,) = stream[position]
        assert sample.caption == owner[sample.key.partition("/")[0]]


def test_the_only_one_of_several_is_seen_as_it_is_alone(make_set) -> None:
    """So a run of one subject is the same run either way."""
    pictures = make_set("a", [SQUARE] * 4)
    alone, first = (
        stream_of(subject(0, pictures)),
        stream_of(subject(0, pictures), subject(1, make_set("bb", [SQUARE]))),
    )
    assert [alone[turn][0].key for turn in range(20)] == [first[2 * turn][0].key for turn in range(20)]


def test_subjects_of_as_many_pictures_do_not_walk_in_step(make_set) -> None:
    stream = stream_of(*(subject(number, make_set("a" * (number + 1), [SQUARE] * 5)) for number in range(2)))
    pairs = {(stream[2 * turn][0].key, stream[2 * turn + 1][0].key) for turn in range(25)}
    assert len(pairs) > 5


def test_with_buckets_they_take_turns_by_steps_since_a_step_has_one_frame(make_set) -> None:
    sizes = [[(24, 24), (48, 24)], [(24, 48)]]
    subjects = [subject(n, make_set("a" * (n + 1), sizes[n]), crop="buckets") for n in range(2)]
    stream = TrainingStream(subjects=subjects, batch_size=3, with_pixels=True)
    captions = []
    for step in range(8):
        batch = collate([stream[position] for position in range(step * 3, step * 3 + 3)])  # stacks: one frame
        assert len(set(batch.captions)) == 1
        captions.append(batch.captions[0])
    assert Counter(captions) == {"word 0": 4, "word 1": 4}


def test_prior_samples_are_of_the_class_of_the_subject_beside_them(make_set) -> None:
    sets = [make_set(name, [SQUARE] * 3) for name in ("a", "bb", "ccc", "dddd")]
    stream = stream_of(
        subject(0, sets[0], prior=PriorPictures(sets[2], ["a dog"])),
        subject(1, sets[1], prior=PriorPictures(sets[3], ["a cat"])),
    )
    shown = {picture.content: number for number, part in enumerate(sets) for picture in part.pictures}
    for position in range(12):
        samples = stream[position]
        assert [shown[sample.key.partition("/")[0]] for sample in samples] == [position % 2, position % 2 + 2]
        assert samples[1].caption == ("a dog", "a cat")[position % 2]
    assert {view.key for view in stream.views()} == {sample.key for p in range(60) for sample in stream[p]}


def test_a_picture_of_two_subjects_is_told_of_by_the_one_that_is_meant(make_set) -> None:
    both = make_set("a", [SQUARE])
    stream = stream_of(subject(0, both, prior=SamePictures(["a dog"])), subject(1, both, prior=SamePictures(["a cat"])))
    first, second = stream[0], stream[1]
    assert [sample.key for sample in first] == [sample.key for sample in second]
    assert [sample.caption for sample in first + second] == ["word 0", "a dog", "word 1", "a cat"]


class TestCaptionDropout:
    def test_that_share_of_the_instance_samples_has_the_empty_caption(self, make_set) -> None:
        part = subject(0, make_set("a", [SQUARE] * 2), caption_dropout=0.25, prior=SamePictures(["a dog"]))
        samples = [sample for position in range(400) for sample in stream_of(part)[position]]
        assert Counter(sample.caption for sample in samples if sample.is_prior) == {"a dog": 400}
        dropped = [sample.id for sample in samples if sample.caption == ""]
        assert len(dropped) == pytest.approx(100, abs=30)

    def test_which_follows_from_the_sample_alone_and_changes_nothing_else(self, make_set) -> None:
        pictures = make_set("a", [SQUARE] * 2, captions=["own"])
        plain, dropping = (stream_of(subject(0, pictures, caption_dropout=share)) for share in (0.0, 0.5))
        for position in reversed(range(50)):
            (one,), (other,) = plain[position], dropping[position]
            assert other.caption in (one.caption, "")
            assert other._replace(caption=one.caption) == one
            assert dropping[position][0] == other


@pytest.mark.parametrize("name", ["identifier", "noun", "a b", "1a", "", "a.b"])
def test_names_that_no_prompt_could_say_are_refused(name: str) -> None:
    class Member:
        crop = "centre"

    with pytest.raises(ValueError, match="no name for a subject"):
        JointDataset(subjects={name: Member()})  # type: ignore[dict-item]


def test_subjects_that_cannot_share_a_step_are_refused() -> None:
    class Member:
        def __init__(self, crop: str) -> None:
            self.crop = crop

    with pytest.raises(ValueError, match="every crop must be the same"):
        JointDataset(subjects={"a": Member("centre"), "b": Member("buckets")})  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="at least one"):
        JointDataset(subjects={})
