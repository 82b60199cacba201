"""How the program's log lines are written. conf/shell.yaml and conf/hydra/hydra_logging name this class."""

import logging

from imprint.tables.table import clean


class CleanFormatter(logging.Formatter):
    """Names and texts of files are in many messages, and may hold what a terminal takes for a command."""

    def format(self, record: logging.LogRecord) -> str:
        return clean(super().format(record), keep="\n\t")
