from dataclasses import replace

import pytest
from composed import compose
from small_runs import composed_profile
from unit.reporting.scoreboard.sheets import sheet

from imprint.config import conf_folder, resolved
from imprint.evaluation.encoders.transformer import TransformerEncoder
from imprint.evaluation.fingerprints import settings_of
from imprint.evaluation.published import Claim, Judge, claims, drawn_otherwise, measured_otherwise
from imprint.evaluation.score_sheet import MetricFacts
from imprint.reporting.scoreboard import assemble
from imprint.reporting.scoreboard.comparisons import PublishedRow
from imprint.reporting.scoreboard.tables import tables

(TABLE_1,) = (claim for claim in claims() if claim.label == "DreamBooth, Stable Diffusion")
(CUSTOM_50,) = (claim for claim in claims() if "50 steps" in claim.source and claim.label == "Custom Diffusion")
NO_METRICS = {"lpips", "cp", "pf"}  # OFT's LPIPS is another measure than DIV; DreamBench++'s are ratings by GPT-4o


def beside(**measured: object) -> PublishedRow:
    """Table 1 of the paper beside a board of the paper's subjects, but for what is `measured` differently."""
    assert TABLE_1.subjects
    subjects = measured.pop("subjects", TABLE_1.subjects)
    assert isinstance(subjects, tuple)
    given = {"profile": "dreambooth_paper", "prompts": 25, "images": 4, **measured}
    board = assemble([sheet(name, **given) for name in subjects], title="", costs={}, draws=1, seed=0)  # type: ignore[arg-type]
    return next(each for each in board.published if each.claim is TABLE_1)


def test_a_paper_has_the_figures_of_its_metrics() -> None:
    assert beside().metrics == {"dino": "dino", "clip_t": "clip_t"}


@pytest.mark.parametrize(
    ("measured", "reason"),
    [
        ({"encoders": {"dino": "miniature ViT"}}, "DINO is measured by miniature ViT here and by DINO ViT-S/16 there"),
        ({"subjects": ("dog", "cat")}, "other subjects than the 30"),
        ({"images": 1}, "100 pictures of each subject there, 25 here"),
        ({"averaging": "pairs"}, "averages are pairs here and macro there"),
        ({"measured": {"self_pairs": "include"}}, "DINO has self_pairs=include here and exclude there"),
        ({"measured": {"references": "first"}}, "DINO has references=first here and all there"),
        ({"measured": {"text": "identifier"}}, "CLIP-T has text=identifier here and class there"),
        ({"shown": {"weights": "ab", "transform": ""}}, "the weights of CLIP ViT-B/32 are not the published ones"),
        (
            {"shown": {"weights": "ab", "transform": "shrunk"}},
            "DINO ViT-S/16 sees pictures otherwise (here shrunk; there",
        ),
        ({"shown": {"weights": "ab", "transform": ""}}, "the published weights of DINO ViT-S/16 are not pinned here"),
        ({}, "did not note the weights of DINO ViT-S/16: evaluate again"),  # sheets of older versions
    ],
)
def test_what_was_measured_otherwise_is_not_comparable_and_the_reason_is_told(measured: dict, reason: str) -> None:
    assert any(reason in why for why in beside(**measured).reasons)


def as_published(claim: Claim, metric: str) -> MetricFacts:
    """What the claim's profile has of the metric, by an encoder with the weights `weights`."""
    profile = composed_profile(str(claim.profile))
    measure = profile.metrics[metric]
    [role] = measure.needs.encoders
    encoder = profile.encoders[role]
    assert isinstance(encoder, TransformerEncoder)
    shown = {"weights": "weights", "transform": encoder.transform.described()}
    facts = {"name": encoder.name, "fingerprint": "", **shown}
    return MetricFacts(
        title=measure.title, better="higher", fingerprint="", settings=settings_of(measure), encoders={role: facts}
    )


@pytest.mark.parametrize("claim", [claim for claim in claims() if claim.encoders], ids=lambda claim: claim.label)
def test_a_profile_measures_as_its_source_does_where_the_weights_are_the_published_ones(claim: Claim) -> None:
    pinned = claim._replace(judges={name: Judge(("weights",), one.transform) for name, one in claim.judges.items()})
    for metric in claim.scores.keys() & claim.encoders.keys():
        averaging = composed_profile(str(claim.profile)).averaging
        assert not list(measured_otherwise(pinned, metric, as_published(claim, metric), averaging))
        nearly = replace(as_published(claim, metric), settings={})
        assert len(list(measured_otherwise(pinned, metric, nearly, averaging))) == len(claim.settings.get(metric, {}))


def test_another_sampler_draws_other_pictures_than_the_sources() -> None:
    sampler = {"scheduler": "DDPMScheduler", "steps": 50, "guidance": 6.0, "negative_prompt": ""}
    assert not list(drawn_otherwise(CUSTOM_50, {"sampler": sampler}))
    [reason] = drawn_otherwise(CUSTOM_50, {"sampler": {**sampler, "steps": 200}})
    assert reason == "pictures are drawn with steps=200 here and 50 there"
    for unknown in ({}, {"sampler": "unknown"}):
        assert list(drawn_otherwise(CUSTOM_50, unknown)) == ["how our pictures were drawn is not known"]
    assert not list(drawn_otherwise(TABLE_1, {}))  # which tells nothing of it


def test_figures_of_other_profiles_are_not_shown() -> None:
    assert not assemble([sheet("dog", profile="quick")], title="", costs={}, draws=1, seed=0).published


def test_the_table_marks_what_is_not_comparable() -> None:
    board = assemble([sheet("dog", profile="dreambooth_paper")], title="", costs={}, draws=1, seed=0)
    table = next(table for table in tables(board) if table.key == "published")
    assert {row.cells[-1].value for row in table.rows} == {"not comparable"}
    assert any("not comparable: " in note for note in table.notes)
    assert any("leaves open which CLIP" in note for note in table.notes)


@pytest.mark.parametrize("claim", claims(), ids=lambda claim: f"{claim.source}: {claim.label}")
def test_a_claim_refers_to_what_there_is(claim: Claim) -> None:
    metrics = {file.stem for file in (conf_folder() / "metric").glob("*.yaml")}
    assert claim.scores.keys() - NO_METRICS <= metrics
    if claim.profile is None:
        assert claim.scores.keys() <= NO_METRICS
        return
    assert (conf_folder() / "evaluation" / f"{claim.profile}.yaml").is_file()
    profile = resolved(compose("evaluate", [f"evaluation={claim.profile}"]))["evaluation"]
    for metric, encoder in claim.encoders.items():
        role = profile["metrics"][metric]["encoder"]
        assert profile["encoders"][role]["name"] == encoder
        assert encoder in claim.judges
