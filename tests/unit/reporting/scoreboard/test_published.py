import pytest
from composed import compose
from unit.reporting.scoreboard.sheets import sheet

from imprint.config import conf_folder, resolved
from imprint.evaluation.published import Claim, claims
from imprint.reporting.scoreboard import assemble
from imprint.reporting.scoreboard.comparisons import PublishedRow
from imprint.reporting.scoreboard.tables import tables

(TABLE_1,) = (claim for claim in claims() if claim.label == "DreamBooth, Stable Diffusion")


def beside(**measured: object) -> PublishedRow:
    """Table 1 of the paper beside a board of the paper's subjects, but for what is `measured` differently."""
    assert TABLE_1.subjects
    subjects = measured.pop("subjects", TABLE_1.subjects)
    assert isinstance(subjects, tuple)
    given = {"profile": "dreambooth_paper", "prompts": 25, "images": 4, **measured}
    board = assemble([sheet(name, **given) for name in subjects], title="", costs={}, draws=1, seed=0)  # type: ignore[arg-type]
    return next(each for each in board.published if each.claim is TABLE_1)


def test_the_papers_own_protocol_may_be_read_beside_the_paper() -> None:
    found = beside()
    assert not found.reasons
    assert found.metrics == {"dino": "dino", "clip_t": "clip_t"}


@pytest.mark.parametrize(
    ("measured", "reason"),
    [
        ({"encoders": {"dino": "miniature ViT"}}, "DINO is measured by miniature ViT here and by DINO ViT-S/16 there"),
        ({"subjects": ("dog", "cat")}, "other subjects than the 30"),
        ({"images": 1}, "100 pictures of each subject there, 25 here"),
    ],
)
def test_what_was_measured_otherwise_is_not_comparable_and_the_reason_is_told(measured: dict, reason: str) -> None:
    assert any(reason in why for why in beside(**measured).reasons)


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
    assert claim.scores.keys() - {"lpips"} <= metrics  # OFT's LPIPS is another measure than DIV, and not measured here
    assert (conf_folder() / "evaluation" / f"{claim.profile}.yaml").is_file()
    profile = resolved(compose("evaluate", [f"evaluation={claim.profile}"]))["evaluation"]
    for metric, encoder in claim.encoders.items():
        role = profile["metrics"][metric]["encoder"]
        assert profile["encoders"][role]["name"] == encoder
