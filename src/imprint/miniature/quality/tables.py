"""A report as Markdown, and its place in the cards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

Report = Mapping[str, Any]
_BLOCK = re.compile(r"(<!-- report: (?P<name>[a-z ]+) -->\n).*?(<!-- end of report -->)", re.DOTALL)


def blocks(report: Report) -> dict[str, str]:
    """Each part of `report` that has been measured, as Markdown, by the name that cards call it."""
    makers = {
        "generator": _generator,
        "realism": _realism,
        "evaluators": _evaluators,
        "costs": _costs,
        "upscaling": _upscaling,
    }
    return {name: make(report) for name, make in makers.items() if name in report}


def page(report: Report) -> str:
    titles = {
        "generator": "The generator, as the oracle reads it",
        "realism": "Distances to true pictures",
        "evaluators": "The evaluators, on individuals held out of all training",
        "costs": "Sizes and times",
        "upscaling": "The upscaler, against true large pictures",
    }
    parts = [f"## {titles[name]}\n\n{text}" for name, text in blocks(report).items()]
    head = "# How good the miniature is\n\nWritten by `python -m imprint.miniature report`, from report.json beside it."
    return "\n\n".join([head, *parts]) + "\n"


def filled(card: str, report: Report) -> str:
    """`card` with what stands between its marks replaced; of older networks nothing is left."""
    texts = blocks(report)

    def fresh(match: re.Match[str]) -> str:
        return f"{match[1]}{texts.get(match['name'], 'Not measured yet.')}\n{match[3]}"

    return _BLOCK.sub(fresh, card)


def _upscaling(report: Report) -> str:
    found = report["upscaling"]
    rows = [
        [way, *(f"{psnr[region]:.2f}" for region in ("whole", "subject", "engraving")), _gain(psnr["gain"])]
        for way, psnr in found["ways"].items()
    ]
    head = (
        f"{found['pictures']} scenes of individuals never shown; PSNR in dB, the mean over pictures, and the gain over "
        "bicubic with its 95% interval. Samples by DDIM without guidance, from the mean of each square of pixels."
    )
    return f"{head}\n\n" + _table(["", "whole", "subject", "engraving", "gain, whole"], rows)


def _gain(gain: Mapping[str, float]) -> str:
    return f"{gain['mean']:+.2f} ({gain['low']:+.2f} to {gain['high']:+.2f})"


def _generator(report: Report) -> str:
    names = {"paper": "the paper's prompts as they stand", "unseen": "combinations never shown in pre-training"}
    rows = [
        [names[which], pictures, *(_share(measured[pictures][asked]) for asked in ("class", "place", "attribute"))]
        for which, measured in report["generator"]["prompts"].items()
        for pictures in ("true pictures", "generated")
    ]
    worst = {
        noun: share["share"]
        for noun, share in report["generator"]["prompts"]["unseen"]["class, by class"].items()
        if share["share"] < 0.9
    }
    weak = ", ".join(f"{noun} {100 * value:.0f}%" for noun, value in sorted(worst.items(), key=lambda item: item[1]))
    return "\n\n".join([
        f"{_sampler(report['generator'])} Right of all, with Wilson's 95% interval; each picture counts.",
        _table(["prompts", "pictures", "class", "asked place", "asked attribute"], rows),
        f"Classes below 90% in combinations never shown: {weak or 'none'}.",
    ])  # fmt: skip


def _realism(report: Report) -> str:
    spaces = report["realism"]["distances"]
    rows = [
        [name, *(f"{spaces[space][name][kind]:g}" for space in spaces for kind in ("frechet", "kernel"))]
        for name in next(iter(spaces.values()))
    ]
    head = [f"{space}, {kind}" for space in spaces for kind in ("Fréchet", "kernel")]
    count = report["realism"]["pictures"]
    said = f"From {count} true pictures with new scenes, to as many of each row. {_sampler(report['realism'])}"
    return f"{said}\n\n{_table(['pictures', *head], rows)}"


def _evaluators(report: Report) -> str:
    rows = [
        [f"`{name}`", measure, _share(value) if isinstance(value, Mapping) else f"{value:g}"]
        for name, measures in report["evaluators"].items()
        for measure, value in measures.items()
    ]
    return _table(["evaluator", "measure", "value"], rows)


def _costs(report: Report) -> str:
    costs = report["costs"]
    rows = [[f"parameters of the {part}", f"{count / 1e6:.2f} M"] for part, count in costs["parameters"].items()]
    rows += [[f"{folder}/", f"{size:.2f} MB"] for folder, size in costs["megabytes"].items()]
    rows.append(["together", f"{sum(costs['megabytes'].values()):.2f} MB"])
    rows.append(["autoencoder, PSNR of held-out pictures", f"{costs['autoencoder psnr']:.1f} dB"])
    ms = costs["denoiser ms"]
    rows.append(
        [
            "processor time of a denoiser evaluation, one thread: fastest, median",
            f"{ms['fastest']:g}, {ms['median']:g} ms",
        ]
    )
    return _table(["", ""], rows)


def _sampler(part: Report) -> str:
    s = part["sampler"]
    sigmas = " with Karras's noise levels" if s["karras"] else ""
    return f"{s['scheduler']}{sigmas}, {s['steps']} steps, guidance {s['guidance']:g}."


def _share(share: Mapping[str, float]) -> str:
    counts = f"{share['right']} of {share['of']}, {100 * share['low']:.1f} to {100 * share['high']:.1f}"
    return f"**{100 * share['share']:.1f}%** ({counts})"


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(head), *([str(cell) for cell in row] for row in rows)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
