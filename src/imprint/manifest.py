"""A run's manifest.json, validated: of any version, and from untrusted sources."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Le
from pydantic import AfterValidator, BaseModel, ConfigDict, TypeAdapter

from imprint.errors import UserError
from imprint.file_contents import DAMAGED, NUMBER_LIMIT, Count, Finite, read_json, refuse, typed
from imprint.files import is_inside
from imprint.kinds import recorded
from imprint.types import Concept

VERSION = 2
MOST_PIXELS = 1 << 16
REMEDY = "Bring the run's folder whole from where it was made, or delete it and train again."

Node = dict[str, Any]  # of a configuration
Duration = Annotated[Finite, Ge(0), Le(NUMBER_LIMIT)]  # in seconds
Side = Annotated[int, Ge(1), Le(MOST_PIXELS)]  # of a picture


class Section(BaseModel):
    """Unknown keys are kept and ignored."""

    model_config = ConfigDict(extra="allow", frozen=True, protected_namespaces=())


def _inside(name: str) -> str:
    if not is_inside(name):
        raise ValueError(f"{name} is not in the run's folder")
    return name


def _counted(hparams: Node) -> Node:
    for key in ("steps", "batch_size"):
        value = hparams.get(key, 0)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= NUMBER_LIMIT:
            raise ValueError(f"{key} is no number of them")
    return hparams


class RunConfig(Section):
    """The run's configuration, resolved and without secrets. Its nodes name classes by their kinds (`_kind_`).

    A run that was adopted, or that failed early, has only some of them.
    """

    seed: Any = 0  # a number, or the reference to the environment that it came from
    model: Node = {}
    method: Node = {}
    dataset: Node = {}
    hparams: Annotated[Node, AfterValidator(_counted)] = {}
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
    steps: Count = 0
    seconds: Duration | None = None
    loss: float | None = None  # of a run that diverged, no number
    peak_memory_bytes: Count = 0


class ScoreNote(Section):
    """Summary of a score sheet."""

    profile: str = ""
    subject: str = ""
    file: str = ""
    means: dict[str, float] = {}
    pictures: list[Annotated[str, AfterValidator(_inside)]] = []  # folders of the pictures that were scored
    seconds: Duration | None = None


class Manifest(Section):
    version: int = VERSION
    status: str = "absent"  # running, failed or finished; that of a killed run is still running
    name: str = ""
    concepts: tuple[Concept, ...] = ()  # what is taught; empty, where the run failed earlier
    content: Content = Content()
    photos: list[str] = []  # a hash of each picture that was trained on, by which pages know them
    model_place: str | None = None  # the location of a model that was configured by a path
    started: list[str] = []  # when, each time
    finished: str = ""  # when
    config: RunConfig = RunConfig()
    trained_parameters: dict[str, Count] = {}  # by group
    parameters: Count | None = None  # of the whole model
    frame: tuple[Side, Side] | None = None  # height and width of the training pictures
    training: Training = Training()
    progress: list[str] = []  # results that were saved during the training
    watch: dict[str, Any] = {}
    scores: dict[str, ScoreNote] = {}  # by sheet
    scores_tracked: dict[str, str] = {}  # by sheet, a hash of what was sent to W&B
    side_by_side: Annotated[int, Ge(1), Le(NUMBER_LIMIT)] = 1  # number of runs that were trained together
    result_bytes: Count | None = None
    result_files: dict[str, Count] = {}  # their sizes
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
        content = read_json(file, REMEDY)
    except FileNotFoundError:
        return {"version": VERSION}
    if not isinstance(content, dict):
        refuse(file, "it is no manifest of a run", REMEDY)
    version = content.get("version", 1)
    if isinstance(version, bool) or not isinstance(version, int) or not 1 <= version <= VERSION:
        raise UserError(
            f"{file}: it is of version {str(version)[:20]}, which this imprint does not know. Use a newer one."
        )
    try:
        for upgrade in UPGRADES[version - 1 :]:
            content = upgrade(content)
    except RecursionError as error:
        refuse(file, DAMAGED, REMEDY, error)
    return dict(content)


def _checked(content: Mapping[str, Any], file: Path) -> Manifest:
    return typed(MANIFEST, content, file, REMEDY)


def _with_kinds(content: dict[str, Any]) -> dict[str, Any]:
    """Version 1 named the classes of the configuration by their import paths."""
    config = {"config": recorded(content["config"])} if "config" in content else {}
    return {**content, **config, "version": 2}


MANIFEST = TypeAdapter(Manifest)
# From each version to the next.
UPGRADES: Sequence[Callable[[dict[str, Any]], dict[str, Any]]] = (_with_kinds,)
