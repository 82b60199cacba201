"""imprint doctor: what there is on this machine, and what is wrong with it."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from omegaconf import DictConfig

from imprint.errors import UserError
from imprint.locations import locate
from imprint.requests import read_request
from imprint.startup import imported
from imprint.tables.table import clean
from imprint.verbs.doctor.findings import Finding
from imprint.verbs.doctor.packages import extras, versions
from imprint.verbs.doctor.places import folders, logins, models

MARKS = {"ok": " ", "note": "-", "wrong": "!"}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `doctor.yaml` asks for."""

    json: bool
    outputs: str


def main(cfg: DictConfig) -> None:
    """Raises UserError, naming how many, where something is wrong."""
    request = read_request(Request, cfg)
    found: list[Finding] = []
    area = ""
    for finding in examine(request):
        found.append(finding)
        if request.json:
            continue
        if finding.area != area:
            area = finding.area
            print(f"{'' if len(found) == 1 else chr(10)}{area}")
        print(clean(f" {MARKS[finding.state]} {finding.name:<24} {finding.said}"), flush=True)
        if finding.remedy:
            print(clean(f"   {'':<24} {finding.remedy}"))
    if request.json:
        print(json.dumps([finding._asdict() for finding in found], indent=2, ensure_ascii=sys.stdout.isatty()))
    wrong = [finding.name for finding in found if finding.state == "wrong"]
    if wrong:
        raise UserError(f"wrong here: {', '.join(wrong)}. Each says above what to do.")


def examine(request: Request) -> Iterator[Finding]:
    """What is quickly known comes first."""
    yield from versions()
    yield from extras()
    yield from folders(locate(request.outputs))
    yield from logins()
    yield from models()
    machine = imported("imprint.verbs.doctor.machine")
    yield from machine.devices()
    yield from machine.memory()
