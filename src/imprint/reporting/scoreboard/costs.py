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
    training, trained = manifest.get("training", {}), manifest.get("trained_parameters")
    return Cost(
        seconds=training.get("seconds"),
        peak_memory_bytes=training.get("peak_memory_bytes"),
        trained_parameters=sum(trained.values()) if trained else None,
        result_bytes=manifest.get("result_bytes"),
    )
