"""What is said of a photo of a data set: in its row, or in a metadata.jsonl beside it, as `imagefolder` has it."""

from imprint.foreign_files import Unreadable, parse_json, read_text
from imprint.labelled.folder import LabelledFolder
from imprint.labelled.layout import METADATA
from imprint.labelled.row import Row


def caption_of(folder: LabelledFolder, split: str, row: Row) -> str:
    """What it shows; "" where nobody says."""
    file = folder.file(split, row)
    try:
        lines = read_text(file.parent / METADATA).split("\n") if (file.parent / METADATA).is_file() else []
        told = [parse_json(line) for line in lines if line.strip()]
    except Unreadable:
        return row.prompt
    texts = (line.get("text") for line in told if isinstance(line, dict) and line.get("file_name") == file.name)
    return next((text for text in texts if isinstance(text, str)), row.prompt)
