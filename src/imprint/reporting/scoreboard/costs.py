"""What a run took."""

from typing import NamedTuple

from imprint.runs import Run


class Cost(NamedTuple):
    """None where it is not known."""

    seconds: float | None
    peak_memory_bytes: float | None
    trained_parameters: float | None
    result_bytes: float | None


def cost_of(run: Run) -> Cost:
    """As its manifest tells."""
    manifest = run.read()
    trained = manifest.trained_parameters
    return Cost(
        seconds=manifest.training.seconds,
        peak_memory_bytes=manifest.training.peak_memory_bytes or None,
        trained_parameters=sum(trained.values()) if trained else None,
        result_bytes=manifest.result_bytes,
    )
