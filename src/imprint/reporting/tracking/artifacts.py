"""A run's result as a W&B artifact."""

from typing import TYPE_CHECKING

from imprint.provenance import file_bytes
from imprint.runs import Run

if TYPE_CHECKING:
    import wandb


def result_artifact(run: Run, max_bytes: int) -> "wandb.Artifact":
    """With every file's size. A result of at most `max_bytes` is uploaded, straight from its folder; of a larger one
    the files are named, with their hashes, and stay where they are."""
    import wandb

    files = file_bytes(run.result)
    count = sum(files.values())
    uploaded = count <= max_bytes
    artifact = wandb.Artifact(
        f"result-{run.signature}",
        type="model",
        description=f"What {run.folder.name} learned.",
        metadata={"bytes": count, "files": files, "uploaded": uploaded, "folder": str(run.result)},
    )
    if uploaded:
        artifact.add_dir(str(run.result), policy="immutable", skip_cache=True)
    else:
        for name in files:
            artifact.add_reference((run.result / name).resolve().as_uri(), name=name)
    return artifact
