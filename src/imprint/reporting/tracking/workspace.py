"""A W&B workspace for several runs: scores, trade-off, settings, curves, pictures."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, NamedTuple

from imprint.errors import UserError
from imprint.kinds import KIND
from imprint.reporting.record import RunRecord, differing
from imprint.reporting.run_scores import RunScores, scores_of
from imprint.reporting.scoreboard.columns import ScoreColumn, tradeoffs
from imprint.reporting.scoreboard.costs import COSTS
from imprint.reporting.tracking.naming import SETTINGS
from imprint.reporting.tracking.scores import score_key
from imprint.reporting.tracking.session import WandbSettings, first_line, settings_of
from imprint.runs import Run

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Section, Workspace


class Place(NamedTuple):
    """Where runs were logged at W&B. Without a group, the page is about the whole project."""

    entity: str | None
    project: str
    group: str | None


def save_workspace(records: Sequence[RunRecord]) -> str:
    """Saves the page for these runs at W&B and returns its address.

    Raises UserError without the extra, without a login, and where no run was logged to W&B.
    """
    if find_spec("wandb_workspaces") is None:
        raise UserError(
            'workspace=true: wandb-workspaces is not installed. Run pip install "imprint-diffusion[workspace]".'
        )
    place = place_of(records)
    entity = place.entity or _own_entity()
    page = workspace(records, place._replace(entity=entity))
    try:
        return str(page.save().url)
    except Exception as error:
        raise _not_saved(error) from error


def place_of(records: Sequence[RunRecord]) -> Place:
    """Raises UserError where the runs were logged to no project, or to several."""
    settings: list[WandbSettings] = [found for record in records if (found := settings_of(Run(record.folder)))]
    places = list(dict.fromkeys((each.entity, each.project) for each in settings))
    if not places:
        raise UserError(
            "workspace=true: none of these runs was logged to Weights & Biases. Train with report=online, or with "
            "report=default and upload the runs with `wandb sync`."
        )
    if len(places) > 1:
        named = ", ".join(f"{entity or 'your account'}/{project}" for entity, project in places)
        raise UserError(f"workspace=true: these runs are in several projects ({named}). Give a folder of one's runs.")
    groups = {each.group for each in settings}
    return Place(*places[0], groups.pop() if len(groups) == 1 else None)


def workspace(records: Sequence[RunRecord], place: Place) -> "Workspace":
    """The page's specification; nothing is sent."""
    import wandb_workspaces.workspaces as ws
    from wandb_workspaces import expr

    assert place.entity
    scores = scores_of(records)
    keys = [_config_key(key, records) for key in differing(records)]
    metrics = [column_key(column) for column in scores.columns]
    return ws.Workspace(
        entity=place.entity,
        project=place.project,
        name=f"imprint: {place.group or place.project}",
        sections=[section for section in _sections(scores, keys, metrics) if section.panels],
        settings=ws.WorkspaceSettings(x_axis="step"),
        runset_settings=ws.RunsetSettings(
            filters=[expr.Metric("Group") == place.group] if place.group else [],
            pinned_columns=[*(f"config:{key}" for key in keys), *(f"summary:{metric}" for metric in metrics)],
        ),
        auto_generate_panels=False,
    )


def column_key(column: ScoreColumn) -> str:
    return score_key(column.profile, column.name, column.facts.fingerprint)


def _sections(scores: RunScores, keys: Sequence[str], metrics: Sequence[str]) -> "list[Section]":
    import wandb_workspaces.reports.v2 as wr
    import wandb_workspaces.workspaces as ws

    axes = [wr.ParallelCoordinatesPlotColumn(metric=wr.Config(key)) for key in keys]
    axes += [wr.ParallelCoordinatesPlotColumn(metric=wr.SummaryMetric(metric)) for metric in metrics]
    return [
        ws.Section(
            name="Scores",
            is_open=True,
            panels=[
                *(wr.BarPlot(title=column.heading, metrics=[column_key(column)]) for column in scores.columns),
                *_tradeoffs(scores.columns),
            ],
        ),
        ws.Section(
            name="Settings",
            is_open=True,
            panels=[
                *([wr.ParallelCoordinatesPlot(columns=axes)] if keys and metrics else []),
                *(wr.ParameterImportancePlot(with_respect_to=metric) for metric in metrics if keys),
                wr.RunComparer(diff_only="split"),
            ],
        ),
        ws.Section(
            name="Pictures",
            is_open=True,
            panels=[wr.MediaBrowser(media_keys=[key]) for key in ("xy", "pareto")]
            + [wr.WeavePanelSummaryTable(table_name=name) for name in ("points", "samples", *_tables(scores))],
        ),
        ws.Section(
            name="Training",
            panels=[
                wr.LinePlot(title="loss", x="step", y=["loss"], smoothing_factor=0.9, smoothing_show_original=True),
                *(wr.LinePlot(title=metric, x="step", y=[metric]) for metric in metrics),
                *(wr.BarPlot(title=name, metrics=[name]) for name in (kind.key for kind in COSTS)),
            ],
        ),
    ]


def _tradeoffs(columns: Sequence[ScoreColumn]) -> list[Any]:
    """Subject fidelity against prompt fidelity, where both were measured on the same pictures."""
    import wandb_workspaces.reports.v2 as wr

    return [
        wr.ScatterPlot(
            title=f"{up.title} against {across.title}",
            x=wr.SummaryMetric(column_key(across)),
            y=wr.SummaryMetric(column_key(up)),
        )
        for across, up in tradeoffs(columns)
    ]


def _tables(scores: RunScores) -> list[str]:
    profiles = dict.fromkeys(column.profile for column in scores.columns)
    return [f"{profile}/{table}" for profile in profiles for table in ("pictures", "breakdown")]


def _config_key(key: str, records: Sequence[RunRecord]) -> str:
    """As `naming.grouped` tells it. A part of a run is named in its configuration by the kind of its class."""
    is_part = any(other.startswith(f"{key}.") for record in records for other in record.settings)
    return f"{SETTINGS}.{key}.{KIND}" if is_part else f"{SETTINGS}.{key}"


def _own_entity() -> str:
    import wandb

    try:
        entity = wandb.Api().default_entity
    except Exception as error:
        raise _not_saved(error) from error
    if not entity:
        raise UserError("workspace=true: your W&B account has no default entity. Train with report.wandb.entity=NAME.")
    return str(entity)


def _not_saved(error: Exception) -> UserError:
    return UserError(
        f"workspace=true: W&B did not take the page ({first_line(error)}). Log in with `wandb login`, upload "
        "offline runs with `wandb sync`, and give the command again."
    )
