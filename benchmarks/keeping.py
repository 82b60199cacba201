"""The files of results, and the page that shows them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from figures import draw

Result = Mapping[str, Any]
COLUMNS = ("work", "size", "imprint", "against", "theirs", "ratio", "in single rounds", "target", "met")


def file_of(folder: Path, name: str, sides: Sequence[str]) -> Path:
    """A case against the peer and against a plain loop are two results."""
    return folder / f"{name}{'-plain' if 'plain' in sides else ''}.json"


def read(file: Path) -> Result | None:
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def keep(result: Result, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def write_page(folder: Path) -> Path:
    """Of everything that lies there."""
    results = [json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]
    tables = [result for result in results if result["figure"] is None]
    drawn = [result for result in results if result["figure"] is not None]
    lines = ["# Results", "", *_surroundings(results), "", _row(COLUMNS), _row(["---"] * len(COLUMNS))]
    machines = list(_machines(results))
    lines += [line for result in tables for line in _rows(result, _mark(result, machines))]
    for result in drawn:
        name = file_of(folder, result["case"], list(result["medians"])).stem
        draw(result, folder, name)
        lines += [
            "",
            f"## {result['title']} ({result['size']}){_mark(result, machines)}",
            "",
            f"![{result['title']}]({name}.svg)",
            "",
        ]
        lines += _table(result)
    lines += ["", "## Commands", "", *(f"- `{result['command']}`{_when(result)}" for result in results), ""]
    page = folder / "README.md"
    page.write_text("\n".join(lines), encoding="utf-8")
    return page


def _rows(result: Result, mark: str) -> list[str]:
    rows = []
    for other, ratios in result["ratios"].items():
        for key, quantity in result["quantities"].items():
            ratio, target = ratios[key], quantity["target"]
            unit = quantity["unit"]
            rows.append(
                _row(
                    [
                        f"{result['title']}: {quantity['title']}{mark}",
                        result["size"],
                        f"{result['medians']['imprint'][key]:.4g} {unit}",
                        other,
                        f"{result['medians'][other][key]:.4g} {unit}",
                        f"**{_ratio(ratio['median'])}**",
                        f"{ratio['lowest']:.3g} to {ratio['highest']:.3g}",
                        f"≤ {_ratio(target)}" if target else "",
                        {True: "yes", False: "no", None: ""}[ratio["met"]],
                    ]
                )
            )
    return rows


def _table(result: Result) -> list[str]:
    """A line for each quantity, a column for each side."""
    sides = list(result["medians"])
    lines = [_row(["", *sides]), _row(["---"] * (len(sides) + 1))]
    for key, quantity in result["quantities"].items():
        values = (f"{result['medians'][side][key]:.4g} {quantity['unit']}".rstrip() for side in sides)
        lines.append(_row([quantity["title"], *values]))
    return lines


def _surroundings(results: Sequence[Result]) -> list[str]:
    lines = [
        "Times are CPU seconds of all processes of a side, unless a case says that they are the clock's; ratios are of "
        "imprint to the other, medians of rounds in alternation. How to read them: benchmarks/README.md.",
        "",
    ]
    machines = _machines(results)
    marked = [f"[{number}] {machine}" for number, machine in enumerate(machines, start=1)]
    return lines + [f"- {line}" for line in (marked if len(marked) > 1 else machines)]


def _machines(results: Sequence[Result]) -> dict[str, None]:
    """With threads and versions, in order."""
    return dict.fromkeys(_machine(result) for result in results)


def _machine(result: Result) -> str:
    about = result["circumstances"]
    processor = f"{about['processor']} ({about['instructions']})"
    machine = ", ".join([processor, f"{about['cores']} cores", *about["devices"]])
    versions = ", ".join(
        f"{name} {about['versions'][name]}" for name in ("python", "torch", "diffusers", "transformers", "peft")
    )
    return f"{machine}; {result['threads']} thread a process; {versions}"


def _mark(result: Result, machines: Sequence[str]) -> str:
    """Which machine it was, where there are several."""
    return f" [{machines.index(_machine(result)) + 1}]" if len(machines) > 1 else ""


def _when(result: Result) -> str:
    told = [result["date"], f"{result['rounds']} rounds", f"{result['minutes']} minutes"]
    if result["clock"] == "wall":
        told.append("by the clock")
    code = result["circumstances"]["code"]
    return f": {', '.join(told)}; code {code[:10] + code[40:] if code else 'unknown'}; load {result['load'][0]}"


def _ratio(value: float) -> str:
    return f"1/{1 / value:.1f}" if value < 0.4 else f"{value:.2f}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
