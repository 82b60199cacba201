"""A report becomes Markdown, and a card's marked blocks take it up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from imprint.miniature.quality.costs import fingerprint
from imprint.miniature.quality.intervals import share
from imprint.miniature.quality.tables import blocks, filled, page
from imprint.miniature.recipe.stages.job import EVALUATORS, FLOW_WEIGHTS, WEIGHTS

SAMPLER = {"scheduler": "DDIMScheduler", "steps": 30, "guidance": 5.0, "karras": False}
ASKED = {"class": share([True] * 9 + [False]), "place": share([True]), "attribute": share([False, True])}
JUDGED = {"true pictures": ASKED, "generated": ASKED, "class, by class": {"dog": share([True]), "can": share([False])}}
REPORT = {
    "generator": {"sampler": SAMPLER, "prompts": {"unseen": JUDGED, "paper": JUDGED}},
    "evaluators": {"clip": {"right caption first among 100": share([True]), "cosine": 0.5}},
}


def test_shares_are_told_with_their_counts() -> None:
    text = blocks(REPORT)["generator"]
    assert "**90.0%** (9 of 10" in text
    assert "DDIMScheduler, 30 steps, guidance 5." in text
    assert "can 0%" in text
    assert "dog 100%" not in text


def test_what_was_not_measured_is_not_told() -> None:
    assert set(blocks(REPORT)) == {"generator", "evaluators"}
    assert "Distances" not in page(REPORT)


def test_a_cards_marks_are_filled_and_the_rest_is_left_alone() -> None:
    mark = "<!-- report: {} -->\nold\n<!-- end of report -->"
    card = f"before\n{mark.format('evaluators')}\nbetween\n{mark.format('costs')}\nafter\n"
    once = filled(card, REPORT)
    assert once.startswith("before\n<!-- report: evaluators -->\n| evaluator |")
    assert once.endswith(f"\nbetween\n{mark.format('costs').replace('old', 'Not measured yet.')}\nafter\n")
    assert filled(once, REPORT) == once


@pytest.mark.parametrize(("weights", "cards"), [(WEIGHTS, (WEIGHTS, EVALUATORS)), (FLOW_WEIGHTS, (FLOW_WEIGHTS,))])
def test_the_shipped_pages_are_those_of_the_shipped_report(weights: Path, cards: tuple[Path, ...]) -> None:
    report = json.loads((weights / "report.json").read_text(encoding="utf-8"))
    assert (weights / "report.md").read_text(encoding="utf-8") == page(report)
    for card in (folder / "README.md" for folder in cards):
        text = card.read_text(encoding="utf-8")
        assert "<!-- report: " in text
        assert filled(text, report) == text


@pytest.mark.parametrize("weights", [WEIGHTS, FLOW_WEIGHTS])
def test_the_shipped_report_is_of_the_shipped_networks(weights: Path) -> None:
    report = json.loads((weights / "report.json").read_text(encoding="utf-8"))
    assert report["fingerprints"] == {"weights": fingerprint(weights), "evaluators": fingerprint(EVALUATORS)}
