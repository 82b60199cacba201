"""A row: what a labelled data set says of one of its pictures, and how that is written as JSON.

`datasets` takes the types of a column from its values, and refuses splits whose types differ. A column of nothing but
nulls, or of empty lists, has no type of its own. So nothing is null: what does not apply is "" or 0, and an empty list
is written with one entry that says nothing, which is left out when it is read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Annotated, Any, Literal

from annotated_types import Ge, Le
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from imprint import messages
from imprint.file_contents import NUMBER_LIMIT, Count

Quality = Literal["construction", "estimated", ""]  # of boxes and masks: exact, as made; found by an algorithm; none
Coordinate = Annotated[float, Ge(-1e9), Le(1e9)]
Share = Annotated[float, Ge(0), Le(1)]
Text = Annotated[str, Field(max_length=100_000)]
Name = Annotated[str, Field(min_length=1, max_length=500)]

REAL = "real"  # the source of photos; any other source is a way of making pictures
HARDLY = 1e-3  # by how much shares may miss 1: they are written with some digits
CONFIG = ConfigDict(allow_inf_nan=False)


@dataclass(frozen=True, kw_only=True)
class Box:
    """Where something is: left, top, width, height in pixels, as COCO has it."""

    __pydantic_config__ = CONFIG

    label: str
    box: tuple[Coordinate, Coordinate, Coordinate, Coordinate]


@dataclass(frozen=True, kw_only=True)
class Score:
    """What a filter measured of a picture, the threshold that it was held against, and whether it passed."""

    __pydantic_config__ = CONFIG

    filter: str
    value: float
    threshold: float
    passed: bool


NO_BOX = Box(label="", box=(0.0, 0.0, 0.0, 0.0))
NO_SCORE = Score(filter="", value=0.0, threshold=0.0, passed=True)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One picture. File names are relative to the folder of its split.

    `labels` are shares of subjects or classes that sum to 1; a hard label is one of share 1. `parent` names the photo
    that a picture was made from, `run` the result that drew it. What is empty or 0 does not apply.
    """

    __pydantic_config__ = CONFIG

    file_name: Name
    subject: Name
    noun: Name  # "class" in files
    labels: Mapping[str, Share]
    source: Name
    mask_file_name: str = ""
    prompt: Text = ""
    seed: Annotated[int, Ge(0), Le(NUMBER_LIMIT - 1)] = 0
    k: Count = 0
    parent: str = ""
    strength: float = 0.0
    guidance: float = 0.0
    run: str = ""
    label_quality: Quality = ""
    estimator: str = ""  # what found boxes and masks that are estimated, where that is known
    shift: Annotated[str, Field(max_length=500)] = ""  # of a test: what it has that training has not
    scores: Sequence[Score] = ()
    objects: Sequence[Box] = ()
    reasons: Sequence[str] = field(default=())  # of a rejected picture: why

    @property
    def is_real(self) -> bool:
        return self.source == REAL

    def renamed(self, file_name: str, mask_file_name: str) -> "Row":
        return replace(self, file_name=file_name, mask_file_name=mask_file_name)

    def judged(self, scores: Sequence[Score], reasons: Sequence[str]) -> "Row":
        return replace(self, scores=tuple(scores), reasons=tuple(reasons))


ROW = TypeAdapter(Row)
WRITTEN = {"noun": "class"}  # a field's name in files, where that is no name in Python
READ = {written: name for name, written in WRITTEN.items()}


def hard(label: str) -> dict[str, float]:
    """The labels of a picture that shows one thing."""
    return {label: 1.0}


def encoded(row: Row, *, mask: str | None, rejected: bool) -> dict[str, Any]:
    """As it is written. `mask` is the name of a file that stands for "no mask"; None: the data set has no masks. Only
    rejected rows say reasons."""
    # In this order: `datasets` 5 takes the first column of a file's name for the picture.
    written: dict[str, Any] = {"file_name": row.file_name}
    if mask is not None:
        written["mask_file_name"] = row.mask_file_name or mask
    left_out = {"file_name", "mask_file_name"} | (set() if rejected else {"reasons"})
    content = asdict(row)
    content["labels"] = [{"label": label, "share": float(share)} for label, share in row.labels.items()]
    content["scores"] = [asdict(score) for score in row.scores or (NO_SCORE,)]
    content["objects"] = [asdict(each) for each in row.objects or (NO_BOX,)]
    content["reasons"] = list(row.reasons) or [""]
    for number in ("strength", "guidance"):
        content[number] = float(content[number])
    for one in content["scores"]:
        one["value"], one["threshold"] = float(one["value"]), float(one["threshold"])
    for one in content["objects"]:
        one["box"] = [float(side) for side in one["box"]]
    return written | {WRITTEN.get(name, name): value for name, value in content.items() if name not in left_out}


def decoded(content: Any, *, no_mask: str) -> Row:
    """Of one line. Raises ValueError, saying in a few words what is wrong. Keys of others are passed over; what another
    program's data set does not say follows from the picture's folder."""
    if not isinstance(content, Mapping):
        raise ValueError("it is no table")
    known = {field.name for field in fields(Row)}
    given = {READ.get(str(key), str(key)): value for key, value in content.items() if value is not None}
    given = {name: value for name, value in given.items() if name in known}
    _plain(given, "labels", "label", "share")
    for name, nothing in (("scores", "filter"), ("objects", "label")):
        entries = _list(given.get(name, []), name)
        # Entries that say nothing only give a column its type.
        given[name] = [one for one in entries if not (isinstance(one, Mapping) and one.get(nothing) == "")]
    given["reasons"] = [reason for reason in _list(given.get("reasons", []), "reasons") if reason != ""]
    if given.get("mask_file_name") == no_mask:
        given["mask_file_name"] = ""
    folder = str(given.get("file_name", "")).replace("\\", "/").rpartition("/")[0].rpartition("/")[2]
    label = content.get("label")
    subject = given.setdefault("subject", given.get("noun", label if isinstance(label, str) else folder))
    given.setdefault("noun", subject)
    given.setdefault("source", REAL)
    if not given.get("labels"):
        given["labels"] = {subject: 1.0} if isinstance(subject, str) else {}
    try:
        row = ROW.validate_python(given)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(WRITTEN.get(str(part), str(part)) for part in first["loc"])
        raise ValueError(f"{key}={messages.value(first['input'])}: {first['msg'].lower()}") from None
    if abs(sum(row.labels.values()) - 1) > HARDLY:
        raise ValueError(f"labels={messages.value(dict(row.labels))}: shares must sum to 1")
    return replace(row, scores=tuple(row.scores), objects=tuple(row.objects), reasons=tuple(row.reasons))


def _plain(given: dict[str, Any], name: str, key: str, value: str) -> None:
    """A list of pairs as a table; a table is left as it is."""
    pairs = given.get(name)
    if isinstance(pairs, list):
        if not all(isinstance(pair, Mapping) and isinstance(pair.get(key), str) for pair in pairs):
            raise ValueError(f"{name}={messages.value(pairs)}: entries need {key} and {value}")
        given[name] = {pair[key]: pair.get(value) for pair in pairs}


def _list(content: Any, name: str) -> list[Any]:
    if not isinstance(content, list):
        raise ValueError(f"{name}={messages.value(content)}: a list belongs here")
    return content
