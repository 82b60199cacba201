"""Pictures of a run: those that it drew to be looked at, else those that were drawn to be scored."""

import json
from pathlib import Path
from typing import NamedTuple

from imprint.evaluation.gallery import INDEX
from imprint.reporting.file_cache import FileCache
from imprint.reporting.record import RunRecord
from imprint.reporting.sheet import spread
from imprint.runs import Run

MOST_PROMPTS = 12
CACHE = FileCache(most=1000)


class Drawn(NamedTuple):
    step: int
    prompt: str
    number: int  # its seed, or which of the prompt's pictures it is
    file: Path


def samples(record: RunRecord) -> list[Drawn]:
    folder = Run(record.folder).samples
    return [Drawn(entry.step, entry.prompt, entry.seed, folder / entry.file) for entry in record.samples]


def judged_pictures(record: RunRecord) -> list[Drawn]:
    """The first picture of some of each subject's prompts, by the newest way of drawing; empty for want of any."""
    newest: dict[str, list[tuple[str, Path]]] = {}
    for index in sorted((record.folder / "pictures").glob(f"subject-*/{INDEX}"), key=_age):
        try:
            subject, pictures = CACHE.of(index, _read)
        except (OSError, ValueError, TypeError, LookupError):
            continue
        newest[subject] = pictures
    return [
        Drawn(record.steps or 1, prompt, 0, file)
        for pictures in newest.values()
        for prompt, file in (pictures[place] for place in spread(range(len(pictures)), MOST_PROMPTS))
    ]


def _read(index: Path) -> tuple[str, list[tuple[str, Path]]]:
    content = json.loads(index.read_text(encoding="utf-8"))
    first = [each for each in content["pictures"] if each["k"] == 0 and each["state"] != "failed"]
    return str(content["subject"]), [(str(each["prompt"]), index.parent / str(each["file"])) for each in first]


def _age(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
