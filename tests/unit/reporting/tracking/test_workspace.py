"""The page at W&B, as a specification; nothing of it is sent."""

import json
from pathlib import Path
from typing import Any

import pytest
from unit.reporting.runs_on_disk import make_run
from unit.reporting.scoreboard.sheets import sheet
from unit.reporting.tracking.offline import settings

from imprint.errors import UserError
from imprint.reporting.record import RunRecord, find_runs
from imprint.reporting.tracking import workspace as subject
from imprint.reporting.tracking.scores import score_name
from imprint.reporting.tracking.workspace import Place, place_of, save_workspace, workspace
from imprint.runs import Run

PLACE = Place("someone", "imprint", "my-grid")


def runs(folder: Path, *told: dict[str, Any]) -> list[RunRecord]:
    """Of two methods and rates, tracked as `told`."""
    for number, changes in enumerate(told or ({}, {})):
        name = ("lora", "dreambooth")[number % 2]
        config = {
            "method": {"_kind_": f"method/{name}", "lr": 10.0**-number},
            "report": {"wandb": settings(**changes)._asdict()},
        }
        made = make_run(folder / f"rex-{name}-{number:08x}", settings=config, steps=20, drawn_at=())
        Run(made).note({"config": config})
        sheet(method=name).write(made / "scores" / "quick-aa.json")
    return find_runs([folder])


def specified(records: list[RunRecord], place: Place = PLACE) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(workspace(records, place)._to_model().model_dump_json(by_alias=True))
    return content


def panels(specification: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Configurations by kind."""
    found: dict[str, list[dict[str, Any]]] = {}
    for section in specification["spec"]["section"]["panelBankConfig"]["sections"]:
        for panel in section["panels"]:
            found.setdefault(panel["viewType"], []).append(panel["config"])
    return found


def test_its_panels_name_what_runs_log(tmp_path: Path) -> None:
    found = panels(specified(runs(tmp_path)))
    dino, clip_t = score_name(sheet(), "dino"), score_name(sheet(), "clip_t")
    (trade_off,) = found["Scatter Plot"]
    assert (trade_off["xAxis"], trade_off["yAxis"]) == (f"summary:{clip_t}", f"summary:{dino}")
    (settings_,) = found["Parallel Coordinates Plot"]
    accessors = [column["accessor"] for column in settings_["columns"]]
    assert accessors == [
        "config:settings.value.method._kind_",
        "config:settings.value.method.lr",
        f"summary:{dino}",
        f"summary:{clip_t}",
    ]
    assert {config["targetKey"] for config in found["Parameter Importance"]} == {dino, clip_t}
    assert {"loss", dino, clip_t} <= {name for config in found["Run History Line Plot"] for name in config["metrics"]}
    assert {key for config in found["Media Browser"] for key in config["mediaKeys"]} == {"xy", "pareto"}
    tables = json.dumps(found["Weave"])
    assert all(name in tables for name in ("points", "samples", "quick/pictures", "quick/breakdown"))


def test_it_shows_the_runs_of_the_group(tmp_path: Path) -> None:
    records = runs(tmp_path)
    (shown,) = specified(records)["spec"]["section"]["runSets"]
    assert "my-grid" in json.dumps(shown["filters"])
    (every,) = specified(records, PLACE._replace(group=None))["spec"]["section"]["runSets"]
    assert "my-grid" not in json.dumps(every)


def test_runs_without_scores_have_a_page_too(tmp_path: Path) -> None:
    records = runs(tmp_path)
    for file in tmp_path.rglob("scores/*.json"):
        file.unlink()
    assert "Scatter Plot" not in panels(specified(records))


def test_its_place_is_where_the_runs_were_told(tmp_path: Path) -> None:
    assert place_of(runs(tmp_path / "one")) == Place(None, "imprint", "my-grid")
    groups = runs(tmp_path / "two", {"entity": "us", "group": "a"}, {"entity": "us", "group": "b"})
    assert place_of(groups) == Place("us", "imprint", None)


def test_what_stands_in_its_way_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="none of these runs"):
        save_workspace(runs(tmp_path / "off", {"mode": "off"}))
    with pytest.raises(UserError, match="several projects .us/other, your account/imprint"):
        save_workspace(runs(tmp_path / "apart", {}, {"entity": "us", "project": "other"}))
    for entity in (None, "us"):
        with pytest.raises(UserError, match="wandb login"):
            save_workspace(runs(tmp_path / str(entity), {"entity": entity}))
    monkeypatch.setattr(subject, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"imprint-diffusion\[workspace\]"):
        save_workspace(runs(tmp_path / "extra"))
