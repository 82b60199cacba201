"""Runs notebooks from top to bottom, as they are read on GitHub: python notebooks/execute.py [quick_start ...]

Each is run in an empty folder and written back with its outputs. Paths of this machine are cut out of them, and times
of the cells are not kept.
"""

import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
HOSTED = "hosted_gpu"  # wants a GPU, and the network
LONGEST = 3600  # seconds of a cell


def main(names: list[str]) -> None:
    for path in sorted(FOLDER.glob("*.ipynb")):
        if path.stem in names or (not names and path.stem != HOSTED):
            print(path.name, flush=True)
            execute(path)


def execute(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        resources = {"metadata": {"path": folder}}
        NotebookClient(notebook, timeout=LONGEST, resources=resources, record_timing=False).execute()
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)
            for output in cell.get("outputs", []):
                _clean(output, folder)
    notebook.metadata = {"kernelspec": notebook.metadata["kernelspec"], "language_info": {"name": "python"}}
    nbformat.write(notebook, path)


def _clean(output: nbformat.NotebookNode, folder: str) -> None:
    texts = [key for key in ("text",) if key in output]
    for key in texts:
        output[key] = _without_places(output[key], folder)
    for kind, value in output.get("data", {}).items():
        if kind.startswith("text/"):
            output["data"][kind] = _without_places(value, folder)


def _without_places(text: str, folder: str) -> str:
    here = re.escape(str(Path(folder).resolve()))
    return re.sub(rf"(?:{re.escape(folder)}|{here})/", "", text)


if __name__ == "__main__":
    main(sys.argv[1:])
