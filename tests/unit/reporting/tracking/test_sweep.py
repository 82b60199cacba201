"""A sweep's own run at W&B."""

from pathlib import Path
from typing import Any

import pytest
from unit.reporting.runs_on_disk import make_run
from unit.reporting.scoreboard.sheets import sheet
from unit.reporting.tracking.offline import artifacts, begun, settings, stays, summary, sync, table
from wandb_server import WandbServer

from imprint.reporting.tracking.sweep import log_sweep, sweep_id
from imprint.runs import Run
from imprint.sweeps import Point, Sweep


def point(outputs: Path, rate: str, *, better_by: float, mode: str = "offline", status: str = "finished") -> Point:
    """A run with scores and pictures."""
    method = {"_kind_": "method/lora", "lr": float(rate), "rank": 4}
    told: dict[str, Any] = {"method": method, "report": {"wandb": settings(mode)._asdict()}}
    folder = make_run(outputs / f"rex-lora-{rate.replace('-', '')}", settings=told, steps=20, drawn_at=(0, 20))
    run = Run(folder)
    run.note({"status": status, "config": told, "trained_parameters": {"denoiser": 10}, "result_bytes": 99})
    own = sheet(better_by=better_by, prompts=8, settings={"method.lr": float(rate)})
    own.write(folder / "scores" / "quick-aa.json")
    return Point((f"method.lr={rate}",), run)


def noted(outputs: Path, *points: Point) -> Sweep:
    sweep = Sweep.named("first-grid", outputs)
    sweep.note(question="Which rate?", command="imprint train -m", objectives=["dino"], points=points)
    sweep.summary.write_text("what came of it")
    return sweep


@pytest.fixture
def sweep(tmp_path: Path) -> Sweep:
    never = Point(("method.lr=0.1",), Run(tmp_path / "rex-lora-never"))
    points = [point(tmp_path, "1e-4", better_by=0.0), point(tmp_path, "1e-3", better_by=0.2)]
    return noted(tmp_path, *points, point(tmp_path, "1e-2", better_by=-0.1, status="failed"), never)


def test_it_is_one_run_of_its_own_job_in_the_group_of_the_points(sweep: Sweep) -> None:
    log_sweep(sweep)
    (stay,) = stays(sweep.folder)
    started = begun(stay)
    assert (started["run_id"], started["project"]) == (sweep_id(sweep), "imprint")
    assert started["display_name"] == "first-grid"
    assert (started["run_group"], started["job_type"]) == ("first-grid", "sweep")
    assert started["tags"] == ["a", "b", "lora"]
    config = summary(stay)["config"]
    assert config["question"] == "Which rate?"
    assert config["points"] == [["method.lr=1e-4"], ["method.lr=1e-3"], ["method.lr=1e-2"], ["method.lr=0.1"]]


def test_the_table_has_every_point_with_settings_intervals_and_costs(sweep: Sweep) -> None:
    log_sweep(sweep)
    rows = table(stays(sweep.folder)[0], "points")
    assert [row["method.lr"] for row in rows] == [1e-4, 1e-3, 1e-2, 0.1]
    assert [row["status"] for row in rows] == ["finished", "finished", "failed", "absent"]
    best = sheet(better_by=0.2, prompts=8, settings={"method.lr": 1e-3}).rows["tuned"]["dino"]
    assert rows[1]["DINO ↑"] == pytest.approx(best.mean)
    assert rows[1]["DINO, low"] < rows[1]["DINO ↑"] < rows[1]["DINO, high"]
    costs = {"steps": 20, "seconds": 83.4, "trained_parameters": 10, "result_bytes": 99}
    assert {name: rows[1][name] for name in costs} == costs
    assert rows[3]["DINO ↑"] is rows[3]["seconds"] is None


def test_the_summary_counts_the_points_and_names_the_best(sweep: Sweep) -> None:
    log_sweep(sweep)
    found = summary(stays(sweep.folder)[0])["summary"]
    assert found["points/finished"] == 2
    assert found["points/failed"] == found["points/absent"] == 1
    assert found["best/DINO, run"] == found["leading/DINO, run"] == "rex-lora-1e3"
    assert not [key for key in found if key.startswith("best/CLIP-T")], "only what its author looks at"


def test_nothing_is_the_best_where_points_cannot_be_told_apart(sweep: Sweep, tmp_path: Path) -> None:
    log_sweep(sweep)
    noted(tmp_path, point(tmp_path, "1e-5", better_by=0.2001))
    log_sweep(sweep)
    found = summary(stays(sweep.folder)[1])["summary"]
    assert "not told apart" in found["best/DINO, run"]
    assert found["leading/DINO, run"] in {"rex-lora-1e3", "rex-lora-1e5"}


def test_pictures_and_plots_lie_there_as_media(sweep: Sweep) -> None:
    log_sweep(sweep)
    (stay,) = stays(sweep.folder)
    row = summary(stay)["summary"]
    assert row["xy"]["_type"] == "images/separated"
    assert row["xy"]["width"] > 4 * 128, "the untuned model and three points that drew any"
    page = (stay / "files" / row["pareto"]["path"]).read_text(encoding="utf-8")
    assert "<svg" in page
    assert "DINO against CLIP-T" in page


def test_launched_again_it_goes_on_with_the_same_run_and_more_points(sweep: Sweep, tmp_path: Path) -> None:
    log_sweep(sweep)
    noted(tmp_path, point(tmp_path, "1e-5", better_by=0.4))
    log_sweep(sweep)
    first, second = stays(sweep.folder)
    assert begun(first)["run_id"] == begun(second)["run_id"]
    assert len(table(second, "points")) == 5
    assert summary(second)["summary"]["best/DINO, run"] == "rex-lora-1e5"


def test_it_is_uploaded_later_with_its_page_and_summary(sweep: Sweep, server: WandbServer) -> None:
    sweep.report.write_text("<html>page</html>")
    log_sweep(sweep)
    (artifact,) = artifacts(stays(sweep.folder)[0])
    assert artifact["type"] == "sweep"
    sync(sweep.folder)
    stored = server.runs[sweep_id(sweep)]
    assert stored.fields["jobType"] == "sweep"
    assert {"points", "xy", "pareto"} <= stored.summary.keys()
    uploaded = {name.rpartition("/")[2] for name in server.uploads}
    assert {"report.html", "summary.md", "sweep.json", "points.table.json"} <= uploaded


@pytest.mark.parametrize("mode", ["off", "offline"])
def test_it_is_told_as_its_points_are(tmp_path: Path, mode: str) -> None:
    sweep = noted(tmp_path, point(tmp_path, "1e-4", better_by=0.0, mode=mode))
    log_sweep(sweep)
    assert bool(stays(sweep.folder)) == (mode == "offline")
    log_sweep(sweep, settings("off"))
    assert len(stays(sweep.folder)) == int(mode == "offline")


def test_a_sweep_without_any_run_or_score_is_no_error(tmp_path: Path) -> None:
    sweep = noted(tmp_path, Point(("method.lr=1",), Run(tmp_path / "rex-lora-never")))
    log_sweep(sweep)
    assert not stays(sweep.folder)
    log_sweep(sweep, settings())
    assert [row["status"] for row in table(stays(sweep.folder)[0], "points")] == ["absent"]


def test_an_id_is_of_the_name_and_fits_wandb() -> None:
    ids = [sweep_id(Sweep(Path("x") / name)) for name in ("a.b", "a-b", "größe", "g" * 200)]
    assert len(set(ids)) == 4
    assert all(len(each) <= 128 and each.isascii() for each in ids)
    assert sweep_id(Sweep(Path("elsewhere") / "a.b")) == ids[0]
