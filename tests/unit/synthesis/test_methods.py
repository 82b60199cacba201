"""What each method asks for, begins with, and makes of what is drawn; each file of conf/synthesis is tried."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from composed import compose
from PIL import Image

from imprint.config import conf_folder, resolved
from imprint.construct import Constructor
from imprint.kinds import kind_of
from imprint.synthesis.base import Asked, Settings, Synthesis
from imprint.synthesis.taught import Taught

Named = Callable[..., list[Taught]]
CHOICES = sorted(file.stem for file in (conf_folder() / "synthesis").glob("*.yaml"))
SETTINGS = Settings(noise_seed=0, guidances=())
MANY = 24


def method(choice: str, *settings: str) -> Synthesis:
    cfg = resolved(compose("synthesise", [f"synthesis={choice}", "out=x", *settings]))
    constructor = Constructor()
    built: Synthesis | None = constructor.build(cfg["synthesis"], "synthesis")
    assert built is not None, constructor.problems
    return built


def asked(own: Synthesis, subjects: list[Taught], images: int = MANY, settings: Settings = SETTINGS) -> list[Asked]:
    return [one for subject in subjects for one in own.ask(subject, subjects, images, settings)]


def plain(one: Asked) -> Any:
    return one._replace(subject=one.subject.label, seen=one.seen.label)


def grey(one: Asked) -> Image.Image:
    return Image.new("RGB", one.subject.size[::-1], (90, 90, 90))


@pytest.mark.parametrize("choice", CHOICES)
def test_a_method_is_a_file_and_a_yaml_of_one_name(choice: str) -> None:
    own = method(choice)
    assert own.name == choice
    assert kind_of(type(own)) == f"synthesis/{choice}"
    text = (conf_folder() / "synthesis" / f"{choice}.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text)["_target_"].split(".")[2] == choice


@pytest.mark.parametrize("choice", CHOICES)
def test_a_larger_set_extends_a_smaller_one_and_names_are_unique(choice: str, named: Named) -> None:
    own, subjects = method(choice), named("rex", "tom", "ada")
    many, few = (asked(own, subjects, images) for images in (MANY, 20))
    for subject in subjects:
        some, all_of_them = ([plain(one) for one in those if one.subject is subject] for those in (few, many))
        assert some == all_of_them[:20]
    names = [(one.subject.label, one.number, one.k) for one in many]
    assert len(set(names)) == len(names) == 3 * MANY
    assert all(sum(one.labels.values()) == pytest.approx(1) for one in many)


def test_methods_are_paired_by_their_noise(named: Named) -> None:
    by_method = [
        {
            (one.subject.label, one.template, number): one.seed
            for number, one in enumerate(asked(method(choice), named("rex", "tom")))
        }
        for choice in ("from_noise", "untuned", "img2img", "repaint", "paste", "mix")
    ]
    assert all(seeds == by_method[0] for seeds in by_method)
    assert len(set(by_method[0].values())) == 2 * MANY
    others = asked(method("from_noise"), named("rex", "tom"), settings=Settings(1, ()))
    assert not {one.seed for one in others}.intersection(by_method[0].values())


def test_what_takes_turns_is_balanced(named: Named) -> None:
    own = method("img2img", "synthesis.strengths=[0.3,0.6]")
    found = asked(own, named("rex"), 60, Settings(0, (2.0, 5.0)))
    for counts in (Counter(one.strength for one in found), Counter(one.guidance for one in found)):
        assert list(counts.values()) == [30, 30]
    assert set(Counter(one.photo for one in found).values()) == {20}
    assert len({(one.photo, one.strength, one.guidance) for one in found}) == 12


def test_the_untuned_model_is_not_told_the_word(named: Named) -> None:
    assert all("sks" in one.prompt for one in asked(method("from_noise"), named("rex")))
    assert not [
        one.prompt for one in asked(method("untuned"), named("rex")) if "sks" in one.prompt or "  " in one.prompt
    ]


def test_copies_are_the_photos(named: Named) -> None:
    own, [rex] = method("copies"), named("rex")
    for one in asked(own, [rex], 5):
        assert own.finished(one, None).tobytes() == rex.photo(one.photo or 0).tobytes()


@pytest.mark.parametrize("keep", ["subject", "place"])
def test_repaint_keeps_its_pixels_exactly_and_only_those(keep: str, named: Named) -> None:
    own, [rex] = method("repaint", f"synthesis.keep={keep}"), named("rex")
    for one in asked(own, [rex], 20)[:3]:
        begun = own.beginning(one)
        assert begun is not None
        assert begun.kept is not None
        assert one.photo is not None
        made, photo = (np.asarray(picture) for picture in (own.finished(one, grey(one)), rex.photo(one.photo)))
        kept = np.asarray(begun.kept)
        assert (made[kept == 255] == photo[kept == 255]).all()
        assert (made[kept == 0] == 90).all()
        mask, quality = own.mask(one) or (None, "")
        assert quality == ("construction" if keep == "subject" else "estimated")
        subject = np.asarray(rex.mask(one.photo)) > 127
        assert np.asarray(mask)[subject].all()


def test_repaint_moves_the_subject(named: Named) -> None:
    own, [rex] = method("repaint", "synthesis.scale=[0.4,0.4]"), named("rex")
    boxes = set()
    for one in asked(own, [rex], 20)[:5]:
        mask, quality = own.mask(one) or (Image.new("L", (1, 1)), "")
        boxes.add(mask.getbbox())
        made = np.asarray(own.finished(one, grey(one)))
        assert (made[np.asarray(mask) == 0] == 90).all()
        assert quality == "construction"
    assert len(boxes) > 2


@pytest.mark.parametrize("places", ["generated", "drawn"])
def test_a_pasted_subject_is_where_its_mask_says(places: str, named: Named) -> None:
    own, [rex] = method("paste", f"synthesis.places={places}"), named("rex")
    one = asked(own, [rex])[0]
    assert own.weights == ("untuned" if places == "generated" else "none")
    made = own.finished(one, grey(one) if places == "generated" else None)
    mask, quality = own.mask(one) or (Image.new("L", (1, 1)), "")
    assert quality == "construction"
    if places == "generated":
        outside = np.asarray(mask) == 0
        assert (np.asarray(made)[outside] == 90).all()
        assert not (np.asarray(made)[~outside] == 90).all()
    else:
        assert len({own.finished(each, None).tobytes() for each in asked(own, [rex])}) == MANY


def test_places_may_be_photos(named: Named, pictures: Path) -> None:
    own = method("paste", f"synthesis.places={pictures}")
    assert own.weights == "none"
    assert own.content().keys() == {"places"}
    assert len({own.finished(one, None).tobytes() for one in asked(own, named("rex"))}) == MANY


def test_mixtures_have_soft_labels_of_the_other_subject(named: Named) -> None:
    own, subjects = method("mix", "synthesis.strengths=[0.5,1.0]", "synthesis.gamma=2"), named("rex", "tom", "kit")
    for one in asked(own, subjects):
        assert one.seen is not one.subject
        share = {0.5: 0.25, 1.0: 1.0}[one.strength or 0]
        rest = {one.seen.label: 1 - share} if share < 1 else {}
        assert one.labels == {one.subject.label: share, **rest}
        assert one.parent.startswith(one.seen.label)
    assert set(Counter((one.subject.label, one.seen.label) for one in asked(own, subjects)).values()) == {MANY // 2}


def told(own: Synthesis, subjects: list[Taught], images: int = MANY) -> str:
    return "\n".join(map(str, own.problems(subjects, images)))


def test_what_cannot_be_is_told(named: Named) -> None:
    bare = named("rex", masks=False)
    for choice in ("repaint", "paste"):
        message = told(method(choice), bare)
        assert "rex/0.png, rex/1.png, rex/2.png: no mask says where the subject is" in message
        assert "Put a mask beside each, NAME.mask.png" in message
    assert "images=10: of rex, 20 prompts are each to be drawn once. Give at least images=20" in told(
        method("from_noise"), bare, 10
    )
    assert "give two subjects or more" in told(method("mix"), bare)
    for choice in CHOICES:
        assert not told(method(choice), named("rex", "tom"))


def test_single_and_unequal_photos_are_told(named: Named) -> None:
    subjects = [*named("rex"), *named("tom", photos=1)]
    remarks = "\n".join(method("img2img").remarks(subjects, 20))
    assert "tom: there is one photo, from which all 20 pictures are made." in remarks
    assert "unequal numbers of photos (rex 3, tom 1); each still has 20 pictures" in remarks
    assert not list(method("from_noise").remarks(subjects, 20))


@pytest.mark.parametrize(
    "wrong",
    ["synthesis.strengths=[0]", "synthesis.strengths=[1.2]", "synthesis.strengths=[]", "synthesis.masks_up_to=2"],
)
def test_settings_out_of_range_are_refused(wrong: str) -> None:
    with pytest.raises(AssertionError, match=wrong.partition("=")[0]):
        method("img2img", wrong)


def test_a_range_that_falls_is_refused() -> None:
    with pytest.raises(AssertionError, match="the first is the smallest"):
        method("paste", "synthesis.scale=[0.7,0.3]")
    with pytest.raises(AssertionError, match="Give null with keep=place"):
        method("repaint", "synthesis.scale=[0.3,0.7]", "synthesis.keep=place")
