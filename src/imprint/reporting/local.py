"""Writes the run's own metrics file: a CSV with one row a step."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from pytorch_lightning.loggers.logger import Logger
from pytorch_lightning.utilities import rank_zero_only

from imprint.errors import UserError
from imprint.files import write_text
from imprint.reporting.metrics_file import complete_rows


class LocalLogger(Logger):
    """Appends to `path`. A metric that appears later widens the file; earlier rows have an empty cell there.

    Whatever kills the writer, at most the last line is incomplete; `rewind` removes it.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self._columns: list[str] = []
        self._file: TextIO | None = None

    @property
    def name(self) -> str:
        return "local"

    @property
    def version(self) -> str:
        return ""

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Nothing: the configuration has its own file."""

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        row = {"step": step, **metrics}
        try:
            if self._file is None:
                self._open()
            if new := [name for name in row if name not in self._columns]:
                self._widen(new)
            assert self._file is not None
            self._file.write(_line([_cell(row.get(name)) for name in self._columns]))
        except OSError as error:
            raise UserError(
                f"Cannot write {self.path}: {error.strerror or error}. Free space or choose another folder."
            ) from error

    @rank_zero_only
    def rewind(self, step: int) -> None:
        """Removes the rows after `step`, and an incomplete last line: training resumes there."""
        self._close()
        if self.path.is_file():
            columns, rows = complete_rows(self.path)
            kept = [row for row in rows if int(row[0]) <= step]
            write_text(self.path, "".join(map(_line, [columns, *kept])) if kept else "")

    def finalize(self, status: str) -> None:
        self._close()

    def _open(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.is_file():
            self._columns, _ = complete_rows(self.path)
        self._file = _appending(self.path)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._columns = None, []

    def _widen(self, new: list[str]) -> None:
        assert self._file is not None
        if self._file.tell() == 0:
            self._columns = new
            self._file.write(_line(new))
            return
        self._file.close()
        _, rows = complete_rows(self.path)
        self._columns = [*self._columns, *new]
        padding = [""] * len(new)
        write_text(self.path, "".join(map(_line, [self._columns, *([*row, *padding] for row in rows)])))
        self._file = _appending(self.path)


def _appending(path: Path) -> TextIO:
    return path.open("a", encoding="utf-8", newline="", buffering=1)  # a line reaches the file when it ends


def _line(cells: list[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _cell(value: float | None) -> str:
    return "" if value is None else repr(value)
