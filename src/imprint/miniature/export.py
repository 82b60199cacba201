"""Writes reference pictures as the DreamBooth data set lays them out, for this program or any other.

`python -m imprint.miniature.export photos/ dog6 teapot` writes photos/dog6/00.png and so on; without names,
every set. Beside the pictures, metadata.jsonl holds a caption and the whole truth of each.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

from imprint.miniature.canvas import stream
from imprint.miniature.captions import caption
from imprint.miniature.references import SETS, scenes
from imprint.miniature.renderer import draw


def export(folder: Path, names: Sequence[str]) -> list[Path]:
    """Writes each named set to `folder/<name>/` and returns the pictures' paths; raises KeyError for a wrong name."""
    written = []
    for name in names:
        target = folder / name
        truths = scenes(name)
        target.mkdir(parents=True, exist_ok=True)
        lines = []
        for i, scene in enumerate(truths):
            path = target / f"{i:02d}.png"
            draw(scene).save(path)
            written.append(path)
            text = caption(scene, stream("export", name, i))
            lines.append(
                json.dumps(
                    {
                        "file_name": path.name,
                        "text": text,
                        "class": scene.subject.noun,
                        "truth": dataclasses.asdict(scene),
                    }
                )
            )
        (target / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return written


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", default=list(SETS), metavar="NAME", help=f"of: {', '.join(SETS)}")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.names) - set(SETS)):
        parser.error(f"unknown: {', '.join(unknown)}. Choose from: {', '.join(SETS)}")
    print(f"wrote {len(export(arguments.folder, arguments.names))} pictures to {arguments.folder}")


if __name__ == "__main__":
    main()
