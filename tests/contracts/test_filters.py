"""Every filter of conf/filter: it binds, its settings can be read from it, and it judges every candidate."""

import inspect
from typing import Any

import pytest
import torch
from candidates import candidate, context, known
from fake_evidence import FakeFeatures
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from PIL import Image

from imprint.config import choices, conf_folder, resolved
from imprint.construct import Constructor
from imprint.evaluation.fingerprints import settings_of
from imprint.filters.base import Context, Filter, Verdict
from imprint.filters.judging import check, judge
from imprint.miniature.references import references

FILTERS = [choice for choice in choices("filter") if choice != "default"]


def nodes(*chosen: str) -> dict[str, Any]:
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        composed = hydra_compose("shell", [f"+filter=[{','.join(chosen)}]"])
    found: dict[str, Any] = resolved(composed).get("filter", {})
    return found


def built(*chosen: str) -> dict[str, Filter]:
    constructor = Constructor()
    filters: dict[str, Filter] = constructor.build(nodes(*chosen), "filter")
    assert not [str(problem) for problem in constructor.problems]
    return filters


def standard() -> tuple[list[Any], Context]:
    """Two subjects with photos, and as candidates the photos and a blank picture."""
    photos = {name: references(name) for name in ("dog6", "cat")}
    candidates, knowns = [], []
    for name, own in photos.items():
        for number, picture in enumerate(own):
            knowns.append(known(f"{name}-{number}", name, name, picture=picture, trained_on=number > 0))
            candidates.append(candidate(f"{name}-{number}-drawn", name, picture=picture, noun=name))
        candidates.append(candidate(f"{name}-blank", name, picture=Image.new("RGB", (64, 64)), noun=name))
    contents = [each.photo.content for each in knowns] + [one.content for one in candidates]
    contents += [f"{one.content}-mirrored" for one in candidates] + [one.text for one in candidates]
    draws = torch.Generator().manual_seed(0)
    features = torch.randn(len(contents), 5, generator=draws).tolist()
    return candidates, context(knowns, dict(zip(contents, features, strict=True)))


def test_the_design_has_these() -> None:
    assert {"identity", "copies", "blank", "size", "prompt", "easy", "near_copies", "share"} <= set(FILTERS)


@pytest.mark.parametrize("option", [option for option in FILTERS if option != "none"])
def test_a_filter_is_called_as_its_file_and_keeps_its_settings(option: str) -> None:
    filters = built(option)
    assert list(filters) == [option]
    settings = {name: value for name, value in nodes(option)[option].items() if name != "_target_"}
    assert settings_of(filters[option]) == settings
    parameters = inspect.signature(type(filters[option])).parameters.values()
    assert all(parameter.default is parameter.empty for parameter in parameters)


@pytest.mark.parametrize("option", [option for option in FILTERS if option != "none"])
def test_a_filter_judges_every_candidate_by_the_encoders_that_it_named(option: str) -> None:
    filter = built(option)[option]
    candidates, given = standard()
    assert not list(filter.problems(given))
    found = filter.judge(candidates, given, {})
    assert len(found) == len(candidates)
    assert all(verdict is None or bool(verdict.reason) != verdict.passed for verdict in found)
    assert all(isinstance(verdict.value, float | int) for verdict in found if isinstance(verdict, Verdict))
    assert isinstance(given.features, FakeFeatures)
    assert given.features.roles == set(filter.needs.encoders)


@pytest.mark.parametrize("option", [option for option in FILTERS if option not in ("none", "copies", "near_copies")])
def test_no_filter_but_those_of_copies_sees_the_test(option: str) -> None:
    filter = built(option)[option]
    candidates, given = standard()
    blind = Context(subjects=given.subjects, known=given.photos, features=given.features)
    assert filter.judge(candidates, given, {}) == filter.judge(candidates, blind, {})


@pytest.mark.parametrize("option", [option for option in FILTERS if option not in ("none", "prompt", "share")])
def test_a_verdict_does_not_depend_on_the_other_candidates(option: str) -> None:
    filter = built(option)[option]
    candidates, given = standard()
    all_together = filter.judge(candidates, given, {})
    one_by_one = [filter.judge([one], given, {})[0] for one in candidates]
    for together, alone in zip(all_together, one_by_one, strict=True):
        assert (together is None) == (alone is None)
        if together is not None and alone is not None:
            assert together.passed == alone.passed
            assert together.value == pytest.approx(alone.value, abs=1e-5)


def test_the_usual_list_composes_and_rejects_copies_and_blank_pictures() -> None:
    filters = built("default")
    assert list(filters) == ["blank", "copies", "size", "identity", "share"]
    candidates, given = standard()
    check(filters, given)
    found = judge(filters, candidates, given)
    assert not found.kept  # all are copies, or blank
    assert {reason.partition(":")[0] for row in found.rows for reason in row.reasons} >= {"blank", "copies"}
    assert len(found.problems) == 2


def test_none_is_no_filter() -> None:
    assert built("none") == {}
