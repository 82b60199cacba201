import pickle
from typing import Any

import pytest
import torch

from imprint.data.framing import Framing
from imprint.data.pictures import PictureSet
from imprint.data.stream import Sample, TrainingStream, collate
from imprint.data.subject import PriorPictures, SamePictures, SubjectSamples

SIZES = [(24, 24), (48, 24), (24, 48), (40, 24)]


def framing_of(**changes: Any) -> Framing:
    return Framing(**({"crop": "centre", "flip": False, "resolution": 24, "multiple": 8} | changes))


def stream_of(pictures: PictureSet, **changes: Any) -> TrainingStream:
    settings: dict[str, Any] = {
        "number": 0,
        "captions": ["a sks dog"],
        "caption_dropout": 0.0,
        "prior": None,
        "framing": framing_of(),
        "seed": 0,
        "batch_size": 2,
    }
    with_pixels = changes.pop("with_pixels", True)
    subject = SubjectSamples(pictures=pictures, **(settings | changes))
    return TrainingStream(subjects=[subject], batch_size=changes.get("batch_size", 2), with_pixels=with_pixels)


def same(one: Sample, other: Sample) -> bool:
    assert one.pixels_CHW is not None
    assert other.pixels_CHW is not None
    return one._replace(pixels_CHW=None) == other._replace(pixels_CHW=None) and torch.equal(
        one.pixels_CHW, other.pixels_CHW
    )


def test_pixels_key_and_caption_of_a_sample_belong_to_one_picture(make_set) -> None:
    """Whatever order the pictures are seen in."""
    pictures = make_set("photos", SIZES, captions=[f"picture {index}" for index in range(4)])
    stream = stream_of(pictures, framing=framing_of(crop="buckets", flip=True))
    views = {view.key: view for view in stream.views()}
    for position in range(40):
        (sample,) = stream[position]
        view = views[sample.key]
        assert sample.id == f"instance/{position}"
        assert sample.caption == view.picture.caption
        assert torch.equal(sample.pixels_CHW, stream.pixels_of(view))


def test_own_captions_win_over_templates(make_set) -> None:
    stream = stream_of(make_set("photos", SIZES, captions=["own"]), captions=["template"])
    counts = [stream[position][0].caption for position in range(8)]
    assert sorted(counts) == ["own"] * 2 + ["template"] * 6


def test_every_template_is_drawn_and_by_the_sample_alone(make_set) -> None:
    stream = stream_of(make_set("photos", SIZES[:1]), captions=["a", "b", "c"])
    drawn = [stream[position][0].caption for position in range(60)]
    assert min(drawn.count(caption) for caption in "abc") > 10
    assert [stream[position][0].caption for position in reversed(range(60))] == drawn[::-1]


@pytest.mark.parametrize("crop", ["centre", "random", "buckets"])
def test_a_position_is_the_same_sample_in_every_process(make_set, crop: str) -> None:
    prior = PriorPictures(make_set("class", SIZES), ["a dog"])
    stream = stream_of(make_set("photos", SIZES), prior=prior, framing=framing_of(crop=crop, flip=True))
    before = [stream[position] for position in range(30)]
    elsewhere = pickle.loads(pickle.dumps(stream))
    for position in reversed(range(30)):
        for one, other in zip(before[position], elsewhere[position], strict=True):
            assert same(one, other)


class TestPrior:
    def test_every_class_picture_is_seen(self, make_set) -> None:
        prior = PriorPictures(make_set("class", [(24, 24)] * 9), ["a dog"])
        stream = stream_of(make_set("photos", SIZES[:2]), prior=prior)
        samples = [stream[position][1] for position in range(9)]
        assert {sample.key for sample in samples} == {
            view.key for view in stream.views() if view.picture in prior.pictures.pictures
        }
        assert len({sample.key for sample in samples}) == 9
        assert {sample.caption for sample in samples} == {"a dog"}
        assert [sample.id for sample in samples] == [f"prior/{position}" for position in range(9)]

    def test_with_buckets_all_samples_of_a_step_share_a_frame(self, make_set) -> None:
        prior = PriorPictures(make_set("class", SIZES), ["a dog"])
        stream = stream_of(make_set("photos", SIZES), prior=prior, batch_size=3, framing=framing_of(crop="buckets"))
        shapes = set()
        for step in range(12):
            batch = collate([stream[position] for position in range(step * 3, step * 3 + 3)])
            assert batch.pixels_BCHW is not None
            shapes.add(batch.pixels_BCHW.shape[2:])
        assert len(shapes) > 1

    def test_the_same_pictures_under_another_caption(self, make_set) -> None:
        pictures = make_set("photos", SIZES, captions=["my sks dog"] * 4)
        stream = stream_of(pictures, prior=SamePictures(["a dog"]), framing=framing_of(crop="random", flip=True))
        for position in range(20):
            instance, prior = stream[position]
            assert (prior.id, prior.caption, prior.is_prior) == (f"prior/{position}", "a dog", True)
            assert instance.caption == "my sks dog"
            assert prior.key == instance.key
            assert torch.equal(prior.pixels_CHW, instance.pixels_CHW)

    def test_pictures_of_the_same_name_are_told_apart(self, make_set) -> None:
        prior = PriorPictures(make_set("class", SIZES[:1]), ["a dog"])
        instance_sample, prior_sample = stream_of(make_set("photos", SIZES[:1]), prior=prior)[0]
        assert instance_sample.key != prior_sample.key
        assert not torch.equal(instance_sample.pixels_CHW, prior_sample.pixels_CHW)


class TestViews:
    @pytest.mark.parametrize("crop", ["centre", "buckets"])
    def test_they_are_all_that_samples_show(self, make_set, crop: str) -> None:
        prior = PriorPictures(make_set("class", SIZES[:3]), ["a dog"])
        stream = stream_of(
            make_set("photos", SIZES),
            prior=prior,
            with_pixels=False,
            framing=framing_of(crop=crop, flip=True),
        )
        shown = {sample.key for position in range(600) for sample in stream[position]}
        assert shown == {view.key for view in stream.views()}
        assert len(stream.views()) == len(shown)

    def test_without_pixels_nothing_is_read(self, make_set, tmp_path) -> None:
        stream = stream_of(make_set("photos", SIZES), with_pixels=True).without_pixels()
        for file in (tmp_path / "photos").iterdir():
            file.unlink()
        batch = collate([stream[position] for position in range(4)])
        assert batch.pixels_BCHW is None
        assert len(set(batch.keys)) == 4


def test_pictures_that_are_enlarged_are_named_once(make_set, caplog: pytest.LogCaptureFixture) -> None:
    pictures = make_set("photos", SIZES)
    stream = stream_of(pictures, framing=framing_of(resolution=32))
    for position in range(8):
        stream[position]
    assert len(caplog.records) == 1
    assert all(picture.key in caplog.text for picture in pictures.pictures)


def test_a_batch_holds_instance_samples_then_prior_samples(make_set) -> None:
    prior = PriorPictures(make_set("class", SIZES), ["a dog"])
    stream = stream_of(make_set("photos", SIZES), prior=prior)
    batch = collate([stream[5], stream[6]])
    assert batch.ids == ["instance/5", "instance/6", "prior/5", "prior/6"]
    assert batch.prior_mask(torch.device("cpu")).tolist() == [False, False, True, True]
    assert batch.captions == ["a sks dog", "a sks dog", "a dog", "a dog"]
    expected = [stream[5][0], stream[6][0], stream[5][1], stream[6][1]]
    assert batch.keys == [sample.key for sample in expected]
    assert torch.equal(batch.pixels_BCHW, torch.stack([sample.pixels_CHW for sample in expected]))
