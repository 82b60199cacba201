"""Python for a model card."""

from collections.abc import Sequence

from imprint.types import Concept

FROM_BASE = (
    "from diffusers import DiffusionPipeline\n\n"
    'pipeline = DiffusionPipeline.from_pretrained("the base model, or another of its kind")'
)


def drawing_lines(template: str, concepts: Sequence[Concept]) -> str:
    """Lines that draw a picture of each concept with `pipeline`."""
    files = ["out.png"] if len(concepts) == 1 else [f"out-{number}.png" for number in range(1, len(concepts) + 1)]
    return "\n".join(
        f'pipeline({concept.fill(template)!r}).images[0].save("{file}")'
        for concept, file in zip(concepts, files, strict=True)
    )
