"""Draws the subjects' large photos and tunes the upscaler on each, in every way; a finished run is not made again.

python experiments/superres/tune.py outputs/superres
python experiments/superres/tune.py outputs/small --subjects dog6 teapot --seeds 0 --set hparams.steps=20
"""

import argparse
import json
from pathlib import Path

from points import LEVELS, LOW_SIDES, METHODS, SEEDS, SUBJECTS, points

from imprint.api import train
from imprint.miniature.export import export

LARGE = 128


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=SUBJECTS)
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHODS)
    parser.add_argument("--levels", nargs="+", type=int, choices=LEVELS, default=LEVELS)
    parser.add_argument("--low-sides", nargs="+", choices=LOW_SIDES, default=LOW_SIDES)
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="of every run")
    given = parser.parse_args()
    world = given.folder / "world"
    export(world, given.subjects, suffix=".png", places=[], size=LARGE)
    index = given.folder / "runs.json"
    runs: dict[str, str] = json.loads(index.read_text()) if index.exists() else {}
    some = {"methods": given.methods, "levels": given.levels, "low_sides": given.low_sides}
    for point in points(given.subjects, given.seeds, **some):
        settings = [*point.settings(str(world), given.set), f"outputs={given.folder / 'runs'}"]
        runs[point.name] = str(train(*settings).folder)
        index.write_text(json.dumps(runs, indent=1) + "\n")
        print(point.name, flush=True)


if __name__ == "__main__":
    main()
