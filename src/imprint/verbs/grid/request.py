"""What `grid.yaml` asks for."""

from dataclasses import dataclass
from typing import Any

from imprint.verbs.generate import Drawing


@dataclass(frozen=True, kw_only=True)
class AxisRequest:
    key: str | None
    values: list[Any] | None


@dataclass(frozen=True, kw_only=True)
class Request(Drawing):
    run: str | list[str] | None
    runs: str | None
    x: AxisRequest
    y: AxisRequest
