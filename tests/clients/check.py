"""Do imprint's files open in other programs? `make clients COMFYUI=folder ...` runs these programs' own loading code on
files of every method and family, and prints what became of each.

Nothing is fetched, and nothing of the programs is kept: give folders of your own. Every program runs in a process, in
the Python that NAME_PYTHON says (by default this one), so its own environment is used.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

PROBES = Path(__file__).parent / "probes"
TOLERANCE = 1e-3  # of the largest change of a layer: what rounding leaves in float32


class Client(NamedTuple):
    """`given` says what its setting names; `meant` are the formats that are for it; `partly` says, by method and
    format, what it leaves out of a file."""

    title: str
    probe: str
    given: str
    meant: frozenset[str]
    partly: Mapping[tuple[str, str], str] = {}


NO_PLACE = {("DreamBooth", "kohya"): "not the adapters on conv_in, conv_out and the embeddings of time and sizes"}
CLIENTS = {
    "COMFYUI": Client(
        "ComfyUI", "comfyui.py", "its folder", frozenset({"kohya", "single_file", "pipeline", "embedding"})
    ),
    "A1111": Client("AUTOMATIC1111", "a1111.py", "its folder", frozenset({"kohya", "embedding"})),
    "SD_SCRIPTS": Client("sd-scripts", "sd_scripts.py", "its folder", frozenset({"kohya"}), NO_PLACE),
    "LYCORIS": Client("LyCORIS", "lycoris_networks.py", "the folder that holds its package", frozenset({"kohya"})),
    "OLD_DIFFUSERS": Client(
        "older diffusers",
        "old_diffusers.py",
        "the Python of an environment with it",
        frozenset({"kohya", "lora", "result", "pipeline", "embedding"}),
        NO_PLACE,
    ),
}


def main(arguments: Sequence[str] | None = None, environment: Mapping[str, str] = os.environ) -> int:
    """1 if a file that is for a program does not come to what it is to be in it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", nargs="+", default=["sd1", "sd2", "sdxl"])
    parser.add_argument("--methods", nargs="+", help="as tests/clients/material.py calls them; all by default")
    parser.add_argument("--work", type=Path, help="keeps the files there, for another time")
    parser.add_argument("--markdown", type=Path, help="writes the table there, too")
    asked = parser.parse_args(arguments)
    chosen = {name: environment[name] for name in CLIENTS if environment.get(name)}
    if not chosen:
        print("No program was given, so nothing was checked. Give one or several:")
        for name, client in CLIENTS.items():
            print(f"  make clients {name}=...   {client.title}: {client.given}")
        print("NAME_PYTHON=... says which Python runs it, if it has an environment of its own.")
        return 0
    if absent := [
        f"{name}={place}: there is no such place." for name, place in chosen.items() if not Path(place).exists()
    ]:
        print("\n".join(absent))
        return 2
    with tempfile.TemporaryDirectory() as folder:
        work = (asked.work or Path(folder)).absolute()
        cases = _material(work, asked.families, asked.methods)
        rows = [
            (CLIENTS[name], row) for name, place in chosen.items() for row in _examined(name, place, cases, environment)
        ]
    return _told(rows, asked.markdown)


def _material(work: Path, families: Sequence[str], methods: Sequence[str] | None) -> Path:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from clients import material

    return material.make(work, families, methods or list(material.METHODS))


def _examined(name: str, place: str, cases: Path, environment: Mapping[str, str]) -> list[dict[str, Any]]:
    client = CLIENTS[name]
    python = place if name == "OLD_DIFFUSERS" else environment.get(f"{name}_PYTHON", sys.executable)
    found = cases.with_name(f"{name.lower()}.json")
    found.unlink(missing_ok=True)
    log = cases.with_name(f"{name.lower()}.log")
    own = {**environment, "CLIENT": str(Path(place).absolute()), "HF_HUB_OFFLINE": "1"}
    with log.open("w", encoding="utf-8") as output:
        done = subprocess.run(
            [python, str(PROBES / client.probe), str(cases), str(found)],
            stdout=output,
            stderr=subprocess.STDOUT,
            env=own,
            check=False,
        )
    rows: list[dict[str, Any]] = json.loads(found.read_text(encoding="utf-8")) if found.is_file() else []
    if done.returncode:
        last = (log.read_text(encoding="utf-8").strip().splitlines() or ["it said nothing"])[-1]
        rows.append({"family": "", "method": "", "format": "", "note": f"it did not run: {last}"})
    return rows


def is_as_meant(client: Client, row: Mapping[str, Any]) -> bool:
    """Whether a program took the whole of a file that is for it, and it came to what it is to be."""
    if (row["method"], row["format"]) in client.partly:
        return True
    if "keys" not in row:
        return False
    return row.get("used", row["keys"]) == row["keys"] and row.get("error", 0.0) <= TOLERANCE


def _notes(client: Client, row: Mapping[str, Any]) -> str:
    apart = "" if row["format"] in {*client.meant, ""} else "not for it"
    return "; ".join(filter(None, (apart, client.partly.get((row["method"], row["format"])), row.get("note"))))


def _told(rows: Sequence[tuple[Client, dict[str, Any]]], file: Path | None) -> int:
    from imprint.tables.markdown import markdown
    from imprint.tables.table import Column, Table
    from imprint.tables.terminal import as_text

    headings = ["program", "family", "method", "file"]
    table = Table.of_values(
        [*headings, "keys", "used", "error", ""],
        [
            (
                client.title,
                *(row[name] for name in ("family", "method", "format")),
                row.get("keys"),
                row.get("used"),
                None if row.get("error") is None else f"{row['error']:.2g}",
                _notes(client, row),
            )
            for client, row in rows
        ],
    )
    columns = [Column(name, kind="number" if name in ("keys", "used", "error") else "text") for name in table.headings]
    table = Table(columns=columns, rows=table.rows)
    print(as_text(table))
    if file:
        file.write_text(markdown(table), encoding="utf-8")
    wrong = [row for client, row in rows if row["format"] in {*client.meant, ""} and not is_as_meant(client, row)]
    print(f"{len(rows)} files examined, {len(wrong)} that are for a program are not what they are to be in it.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
