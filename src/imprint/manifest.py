"""A run's manifest.json, validated: of any version, and from untrusted sources."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NoReturn

from pydantic import AfterValidator, BaseModel, ConfigDict, NonNegativeInt, PositiveInt, ValidationError

from imprint.errors import UserError
from imprint.files import is_inside
from imprint.kinds import recorded
from imprint.types import Concept

VERSION = 2
REMEDY = "Bring the run's folder whole from where it was made, or delete it and train again."

Node = dict[str, Any]  # of a configuration


class Section(BaseModel):
    """Unknown keys are kept and ignored."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())


def _inside(name: str) -> str:
    if not is_inside(name):
        raise ValueError(f"{name} is not in the run's folder")
    return name


class RunConfig(Section):
    """The run's configuration, resolved and without secrets. Its nodes name classes by their kinds (`_kind_`).

    A run that was adopted, or that failed early, has only some of them.
    """

    seed: Any = 0  # a number, or the reference to the environment that it came from
    model: Node = {}
    method: Node = {}
    dataset: Node = {}
    hparams: Node = {}
    prior: Node = {}
    samples: Node = {}
    evaluation: Node | None = None
    report: Node = {}

    @property
    def steps(self) -> int:
        return int(self.hparams.get("steps", 0))

    @property
    def batch_size(self) -> int:
        return int(self.hparams.get("batch_size", 0))

    def tree(self) -> dict[str, Any]:
        """The whole configuration, as it was written."""
        return self.model_dump(exclude_unset=True)


class Content(Section):
    """Hashes of what the run was made from."""

    model: str = ""
    dataset: str | list[str] = ""


class Training(Section):
    steps: NonNegativeInt = 0
    seconds: float | None = None
    loss: float | None = None
    peak_memory_bytes: NonNegativeInt = 0


class ScoreNote(Section):
    """Summary of a score sheet."""

    profile: str = ""
    subject: str = ""
    file: str = ""
    means: dict[str, float] = {}
    pictures: list[Annotated[str, AfterValidator(_inside)]] = []  # folders of the pictures that were scored
    seconds: float | None = None


class Manifest(Section):
    version: int = VERSION
    status: str = "absent"  # running, failed or finished; that of a killed run is still running
    name: str = ""
    concepts: tuple[Concept, ...] = ()  # what is taught; empty, where the run failed earlier
    content: Content = Content()
    model_place: str | None = None  # the location of a model that was configured by a path
    started: list[str] = []  # when, each time
    finished: str = ""  # when
    config: RunConfig = RunConfig()
    trained_parameters: dict[str, int] = {}  # by group
    parameters: int | None = None  # of the whole model
    frame: tuple[PositiveInt, PositiveInt] | None = None  # height and width of the training pictures
    training: Training = Training()
    progress: list[str] = []  # results that were saved during the training
    watch: dict[str, Any] = {}
    scores: dict[str, ScoreNote] = {}  # by sheet
    scores_tracked: dict[str, str] = {}  # by sheet, a hash of what was sent to W&B
    side_by_side: PositiveInt = 1  # number of runs that were trained together
    result_bytes: int | None = None
    result_files: dict[str, int] = {}  # their sizes
    adopted: list[dict[str, Any]] = []  # the files of a run that was trained elsewhere
    error: str = ""


def read_manifest(file: Path) -> Manifest:
    """That of a run that has not begun, where there is no file. Raises UserError, naming the file, for an invalid
    one."""
    return _checked(_content(file), file)


def updated(file: Path, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The content of the file updated by `facts`, to be written. Raises UserError as `read_manifest`."""
    content = {**_content(file), **facts}
    _checked(content, file)
    return content


def _content(file: Path) -> dict[str, Any]:
    """Upgraded to the newest version."""
    try:
        content: Any = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {"version": VERSION}
    except (ValueError, RecursionError) as error:
        _refuse(file, "it is damaged or only half copied", error)
    if not isinstance(content, dict):
        _refuse(file, f"a {type(content).__name__} is no manifest of a run")
    version = content.get("version", 1)
    if not isinstance(version, int) or not 1 <= version <= VERSION:
        raise UserError(f"{file}: it is of version {version!r}, which this imprint does not know. Use a newer one.")
    try:
        for upgrade in UPGRADES[version - 1 :]:
            content = upgrade(content)
    except RecursionError as error:
        _refuse(file, "it is no manifest of a run", error)
    return dict(content)


def _checked(content: Mapping[str, Any], file: Path) -> Manifest:
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        _refuse(file, f"what it says of {key} cannot be ({first['msg'].lower()})", error)


def _refuse(file: Path, reason: str, error: Exception | None = None) -> NoReturn:
    raise UserError(f"{file}: {reason}. {REMEDY}") from error


def _with_kinds(content: dict[str, Any]) -> dict[str, Any]:
    """Version 1 named the classes of the configuration by their import paths."""
    config = {"config": recorded(content["config"])} if "config" in content else {}
    return {**content, **config, "version": 2}


# From each version to the next.
UPGRADES: Sequence[Callable[[dict[str, Any]], dict[str, Any]]] = (_with_kinds,)
