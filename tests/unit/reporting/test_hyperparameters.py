import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from unit.reporting.runs_on_disk import make_run
from unit.reporting.scoreboard.sheets import sheet
from unit.reporting.sweeps_on_disk import with_numbers

from imprint.reporting.hyperparameters import Study, studies
from imprint.reporting.record import find_runs
from imprint.reporting.run_scores import scores_of
from imprint.reporting.side_by_side import labels

LR, RANK = "method.lr", "method.rank"


def studied(outputs: Path, table: dict[tuple[object, ...], float], *keys: str, objectives: list[str]) -> list[Study]:
    """Runs with these settings, and DINO as given."""
    for number, (values, score) in enumerate(table.items()):
        settings = dict(zip(keys, values, strict=True))
        own = with_numbers(sheet(settings=settings, seed=number), "dino", score)
        folder = make_run(outputs / own.run, settings=settings, steps=2, drawn_at=())
        own.write(folder / "scores" / "quick.json")
    records = find_runs([outputs])
    return studies(records, labels(records), scores_of(records), keys, objectives)


def kinds(study: Study) -> list[str]:
    return [figure.kind for figure in study.figures]


def titles(svg: str) -> list[str]:
    ElementTree.fromstring(svg)  # a page holds what a browser can read
    return re.findall(r"<title>([^<]*)</title>", svg)


def test_a_grid_of_two_settings_is_a_map_with_the_share_of_each(tmp_path: Path) -> None:
    # As in test_importance: 36 and 6 of 42.
    table = {(lr, rank): number for (lr, rank), number in zip(
        [(lr, rank) for rank in (4, 8) for lr in (1e-4, 1e-3, 1e-2)], (2.0, 5.0, 8.0, 4.0, 7.0, 10.0), strict=True
    )}  # fmt: skip
    found = studied(tmp_path, table, LR, RANK, objectives=["clip_t"])
    assert [study.metric for study in found] == ["CLIP-T ↑", "DINO ↑"], "what its author looks at comes first"
    dino = found[1]
    assert [(effect.heading, round(effect.share.explained, 3)) for effect in dino.effects if effect.share] == [
        ("lr", round(36 / 42, 3)),
        ("rank", round(6 / 42, 3)),
    ]
    assert dino.effects[1].values == [("4", 5.0, 3), ("8", 7.0, 3)]
    assert kinds(dino) == ["map"]
    assert "lr 0.01, rank 8\nDINO ↑ 10.00" in titles(dino.figures[0].svg)


def test_a_cell_is_a_mean_over_seeds(tmp_path: Path) -> None:
    table = {(lr, rank, seed): lr + rank + seed for lr in (1, 2) for rank in (4, 8) for seed in (0, 1)}
    [dino] = [study for study in studied(tmp_path, table, LR, RANK, "seed", objectives=[]) if "DINO" in study.metric]
    assert kinds(dino) == ["map"], "a seed has no axis"
    assert "rank 8, lr 2\nDINO ↑ 10.50\nmean over 2 runs" in titles(dino.figures[0].svg)
    assert "seed" in dino.figures[0].caption


def test_more_settings_are_lines_through_parallel_axes(tmp_path: Path) -> None:
    table = {(lr, rank, kind): lr * rank for lr in (1e-4, 1e-2) for rank in (4, 8) for kind in ("$a$", "<b>")}
    [dino] = [study for study in studied(tmp_path, table, LR, RANK, "method", objectives=[]) if "DINO" in study.metric]
    assert kinds(dino) == ["map", "lines"]
    told = titles(dino.figures[1].svg)
    assert len(told) == 8
    assert any("rank 8" in text and "lr 0.01" in text and "DINO ↑ 0.080" in text for text in told)
    assert "$a$" in dino.figures[1].svg, "names may have dollars"


def test_settings_drawn_at_random_are_lines_and_thirds(tmp_path: Path) -> None:
    table = {(1e-4 * 1.7**n, 0.1 * ((5 * n) % 12)): float(n) for n in range(12)}
    [dino] = [study for study in studied(tmp_path, table, LR, "prior.weight", objectives=[]) if "DINO" in study.metric]
    assert kinds(dino) == ["lines"]
    rate = next(effect for effect in dino.effects if effect.key == LR)
    assert rate.is_binned
    assert [count for _, _, count in rate.values] == [4, 4, 4]
    assert rate.share
    assert rate.share.explained == pytest.approx(128 / 143)  # thirds of 0 .. 11


def test_one_setting_is_a_curve(tmp_path: Path) -> None:
    table = {(lr,): value for lr, value in ((1e-5, 0.3), (1e-4, 0.5), (1e-3, 0.6), (1e-2, 0.2))}
    [dino] = [study for study in studied(tmp_path, table, LR, objectives=[]) if "DINO" in study.metric]
    assert kinds(dino) == ["response"]
    assert any(text.startswith("lr 0.001\nDINO ↑ 0.6") for text in titles(dino.figures[0].svg))
    assert dino.effects[0].share is None, "each value has one run"


def test_of_too_few_runs_nothing_is_said(tmp_path: Path) -> None:
    assert studied(tmp_path, {(1, 4): 0.1, (2, 4): 0.2, (1, 8): 0.3}, LR, RANK, objectives=[]) == []
