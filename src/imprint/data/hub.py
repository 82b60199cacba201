"""A data set of the Hugging Face hub, or files that the `datasets` library reads."""

from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from imprint.data.captions import in_one_line
from imprint.data.dataset import Dataset
from imprint.data.decoding import BadPicture, read
from imprint.data.listing import printable
from imprint.data.pictures import PictureSet
from imprint.data.reading import Candidate, gather
from imprint.errors import ConfigError, Problem, UserError
from imprint.kinds import of_kind
from imprint.locations import locate

if TYPE_CHECKING:
    import datasets


@of_kind("dataset/hub")
@dataclass(kw_only=True)
class HubDataset(Dataset):
    """A column of pictures, and a column of captions where `caption_column` is given.

    `id` is a data set on the hub, a folder on this machine, or a .parquet file. `subset` is what the hub
    calls a configuration. Pin `revision` where the same pictures must be found again.
    """

    not_in_identity = Dataset.not_in_identity | {"id", "subset", "revision", "split", "image_column", "caption_column"}

    id: str
    subset: str | None
    revision: str | None
    split: str
    image_column: str
    caption_column: str | None

    def _own_name(self) -> str:
        return printable(self.subset or PurePath(self.id).stem) or self.class_noun

    def _all_pictures(self) -> PictureSet:
        rows = self._rows()
        caption_problems: list[str] = []
        captions = self._captions(rows, caption_problems)
        stored = rows.select_columns([self.image_column])
        return gather(
            [
                Candidate(
                    printable(f"{self.split}/{index}"),
                    _Row(stored, self.image_column, index),
                    captions.get(index),
                )
                for index in range(len(rows))
            ],
            place=f"dataset.id={self.id}",
            background=self.background,
            bad_pictures=self.bad_pictures,
            caption_problems=caption_problems,
        )

    def _rows(self) -> "datasets.Dataset":
        """The split, with the bytes of its pictures as they were stored."""
        try:
            import datasets
        except ImportError as error:
            raise UserError(
                f"dataset.id={self.id!r}: the datasets library is not installed. Install the extra `hub` "
                '(pip install "imprint-diffusion[hub]"), or use dataset=folder with a folder of pictures.'
            ) from error
        rows = self._loaded(datasets)
        self._check_columns(rows)
        try:
            return rows.cast_column(self.image_column, datasets.Image(decode=False))
        except (TypeError, ValueError, NotImplementedError) as error:
            remedy = f"holds no pictures but {rows.features[self.image_column]}."
            raise ConfigError([Problem("dataset.image_column", self.image_column, remedy)]) from error

    def _loaded(self, datasets: Any) -> "datasets.Dataset":
        local = locate(self.id)
        try:
            if local.suffix == ".parquet" and local.is_file():
                rows = datasets.load_dataset("parquet", data_files={self.split: str(local)}, split=self.split)
            else:
                name = str(local) if local.is_dir() else self.id
                rows = datasets.load_dataset(name, self.subset, revision=self.revision, split=self.split)
        except Exception as error:  # its own errors, those of the network, and those of every file format
            raise UserError(self._not_found(local, error)) from error
        if not len(rows):
            raise ConfigError([Problem("dataset.split", self.split, "has no rows.")])
        return rows

    def _not_found(self, local: Path, error: Exception) -> str:
        place = f"the folder {printable(local)}" if local.is_dir() else "a data set of this name on the hub"
        sought = {"subset": self.subset, "revision": self.revision, "split": self.split}
        details = ", ".join(f"{key} {value}" for key, value in sought.items() if value is not None)
        reason = next(iter(str(error).splitlines()), "")
        return (
            f"dataset.id={self.id!r} cannot be loaded. Looked for {place}, {details}:\n"
            f"  {type(error).__name__}: {reason}\n"
            "Check the name and, for a private data set, your login. Without a network, give the path of a "
            "local copy, or use dataset=folder."
        )

    def _check_columns(self, rows: "datasets.Dataset") -> None:
        asked = {"image_column": self.image_column, "caption_column": self.caption_column}
        problems = [
            Problem(f"dataset.{key}", column, f"no such column. There are: {', '.join(rows.column_names)}.")
            for key, column in asked.items()
            if column is not None and column not in rows.column_names
        ]
        if problems:
            raise ConfigError(problems)

    def _captions(self, rows: "datasets.Dataset", problems: list[str]) -> dict[int, str]:
        """By row. A row without a text has no caption of its own."""
        captions: dict[int, str] = {}
        if self.caption_column is None or self.captions == "template":
            return captions
        for index, text in enumerate(rows[self.caption_column]):
            try:
                if text is not None:
                    captions[index] = in_one_line(_text(text))
            except ValueError as error:
                problems.append(f"row {index}: {error}")
        return captions


class _Row:
    """Reads the stored bytes of one row's picture."""

    def __init__(self, rows: "datasets.Dataset", column: str, index: int) -> None:
        self.rows = rows
        self.column = column
        self.index = index

    def __call__(self) -> bytes:
        stored = self.rows[self.index][self.column]
        if stored is None:
            raise BadPicture("no picture in this row")
        content: bytes | None = stored["bytes"]
        return content if content is not None else read(Path(stored["path"]))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"the caption is no text but {type(value).__name__}")
    return value
