"""Features cached on disk: one SQLite file per encoder, shared by all programs of this user.

An error with a file or its folder never ends a run: a file that cannot be read is replaced by an empty one, and where
nothing can be written nothing is cached. Both are logged as warnings.
"""

import logging
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from filelock import FileLock
from torch import Tensor

from imprint.evaluation.records import Side

log = logging.getLogger(__name__)

APPLICATION_ID = 0x1A9F17E5  # tells these SQLite files from others
SCHEMA_VERSION = 1  # of the tables, and of what a row means
LOCK_TIMEOUT = 30.0  # seconds to wait for another program
QUERY_SIZE = 500  # rows in one query
SCHEMA = f"""
BEGIN;
CREATE TABLE features (
    content TEXT NOT NULL, side TEXT NOT NULL, shape TEXT NOT NULL, data BLOB NOT NULL, PRIMARY KEY (content, side)
);
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {SCHEMA_VERSION};
COMMIT;
"""
Result = TypeVar("Result")


class FeatureCache:
    """Rows (content, side) -> float32 features, of one encoder."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._usable = True

    def read(self, side: Side, contents: Sequence[str]) -> dict[str, Tensor]:
        """Those that are there."""

        def select(connection: sqlite3.Connection) -> dict[str, Tensor]:
            found = {}
            for start in range(0, len(contents), QUERY_SIZE):
                chunk = contents[start : start + QUERY_SIZE]
                marks = ", ".join("?" * len(chunk))
                statement = f"SELECT content, shape, data FROM features WHERE side = ? AND content IN ({marks})"
                for content, shape, data in connection.execute(statement, (side, *chunk)):
                    found[content] = _tensor(shape, data)
            return found

        return self._attempt(select) or {}

    def write(self, side: Side, features: Mapping[str, Tensor]) -> None:
        rows = [(content, side, *_row(feature)) for content, feature in features.items()]

        def insert(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany("INSERT OR REPLACE INTO features VALUES (?, ?, ?, ?)", rows)

        self._attempt(insert)

    def _attempt(self, query: Callable[[sqlite3.Connection], Result]) -> Result | None:
        """The result of `query`; None where the file cannot be used."""
        if not self._usable:
            return None
        try:
            try:
                return self._connected(query)
            except sqlite3.OperationalError:  # locked, full, not writable: the file itself is good
                raise
            except sqlite3.DatabaseError as error:
                self._discard(error)
                return self._connected(query)
        except (sqlite3.Error, OSError) as error:
            self._usable = False
            log.warning("Features are not kept on disk: %s cannot be used (%s).", self.file, error)
            return None

    def _connected(self, query: Callable[[sqlite3.Connection], Result]) -> Result:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(self.file, timeout=LOCK_TIMEOUT)) as connection:
            if not _is_ours(connection):
                self._create_tables(connection)
            connection.execute("PRAGMA synchronous = NORMAL")
            return query(connection)

    def _create_tables(self, connection: sqlite3.Connection) -> None:
        with FileLock(f"{self.file}.lock", timeout=LOCK_TIMEOUT):
            if _is_ours(connection):  # another program was first
                return
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() != (0,):
                raise sqlite3.DatabaseError("it is another program's, or another version's")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript(SCHEMA)

    def _discard(self, error: Exception) -> None:
        log.warning("%s holds no usable features (%s). It is made again.", self.file, error)
        for ending in ("", "-wal", "-shm"):
            self.file.with_name(self.file.name + ending).unlink(missing_ok=True)


def _is_ours(connection: sqlite3.Connection) -> bool:
    marks = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("application_id", "user_version")]
    return marks == [APPLICATION_ID, SCHEMA_VERSION]


def _row(feature: Tensor) -> tuple[str, bytes]:
    return ",".join(map(str, feature.shape)), feature.numpy().astype("<f4").tobytes()


def _tensor(shape: str, data: bytes) -> Tensor:
    try:
        values = np.frombuffer(data, dtype="<f4").astype(np.float32).reshape([int(side) for side in shape.split(",")])
    except (ValueError, TypeError) as error:
        raise sqlite3.DatabaseError(f"a row is damaged: {error}") from error
    return torch.from_numpy(values)
