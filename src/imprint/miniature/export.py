"""Writes reference pictures as the DreamBooth data set lays them out, for this program or any other.

    python -m imprint.miniature export world/ dog6 teapot cat:17 --places beach snow

writes world/dataset/dog6/00.jpg and so on, with the captions and the truth of each picture in metadata.jsonl beside it,
and with --masks 00.mask.png for each, white where the subject is; world/dataset/prompts_and_classes.txt;
world/true/dog6/beach.png and so on, the true pictures of each subject in the places asked for; and world/truth.json,
which tells the whole truth of every picture. With --empty 3, world/places/ has three pictures of each place. With
--photos 16 each set has so many reference pictures, which are others than those of the usual number; with --each 3
there are three true pictures of each place, in other poses. With --fresh 20, world/fresh/dog6/00.png and so on are
pictures that are none of these: to test on. A name is that of a set, or a class and a number, which is an individual
made from that number. Without names, every set is written.

    python -m imprint.miniature export world/ dog6 --size 128 --masks

draws the same scenes larger, with the fur, weave and engraving that 64 pixels cannot show; world/engravings/dog6/00.png
and so on are then white where strokes of the engraving are.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from PIL import Image

from imprint.miniature.canvas import SIZE, stream
from imprint.miniature.captions import caption
from imprint.miniature.paper_prompts import classes_and_prompts
from imprint.miniature.places import BACKDROPS, PLACES
from imprint.miniature.references import SETS, STYLE_SETS, scenes
from imprint.miniature.renderer import draw, draw_empty, engraving_mask, mask
from imprint.miniature.sampling import fresh_scenes, posed_scenes
from imprint.miniature.scene import NOUNS, Scene, Subject
from imprint.miniature.subjects import from_seed

_LEAST = {"photos": 1, "each": 1, "fresh": 0, "empty": 0}
DRAWABLE = range(32, 1025)  # pixels on a side


def save(picture: Image.Image, path: Path) -> None:
    """As small as it gets: exact as .png, with colours at full resolution as .jpg."""
    if path.suffix == ".jpg":
        picture.save(path, quality=95, subsampling=0)
    else:
        picture.save(path, optimize=True)


def write_set(
    folder: Path, name: str, truths: Sequence[Scene], *, suffix: str, masks: bool = False, size: int = SIZE
) -> dict[Path, Scene]:
    """Writes `folder/<name>/00<suffix>` and so on, with metadata.jsonl, and perhaps 00.mask.png; returns each picture's
    truth."""
    target = folder / name
    target.mkdir(parents=True, exist_ok=True)
    written, lines = {}, []
    for i, scene in enumerate(truths):
        path = target / f"{i:02d}{suffix}"
        save(draw(scene, size), path)
        if masks:
            save(mask(scene, size), path.with_suffix(".mask.png"))
        written[path] = scene
        text = caption(scene, stream("export", name, i))
        row = {"file_name": path.name, "text": text, "class": scene.subject.noun, "truth": asdict(scene)}
        lines.append(json.dumps(row))
    (target / "metadata.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return written


def write_engravings(folder: Path, name: str, truths: Sequence[Scene], size: int) -> None:
    """Writes `folder/<name>/00.png` and so on, white where strokes of the engraving are. Not beside the pictures, where
    whoever reads the folder would take them for more of them."""
    target = folder / name
    target.mkdir(parents=True, exist_ok=True)
    for i, scene in enumerate(truths):
        save(engraving_mask(scene, size), target / f"{i:02d}.png")


def write_true_pictures(
    folder: Path, who: Subject, places: Sequence[str], each: int = 1, size: int = SIZE
) -> dict[Path, Scene]:
    """Writes `folder/<subject>/<place>.png`, and `<place>-1.png` and so on in other poses: what a perfect generator
    would draw; returns each picture's truth."""
    named = {
        f"{place.replace(' ', '_')}{f'-{number}' if number else ''}.png": scene
        for place in places
        for number, scene in enumerate(posed_scenes(who, place, each))
    }
    return _written(folder / who.name, named, size)


def write_fresh_pictures(folder: Path, who: Subject, count: int, size: int = SIZE) -> dict[Path, Scene]:
    """Writes `folder/<subject>/00.png` and so on, none of which is a reference; returns each picture's truth."""
    return _written(
        folder / who.name, {f"{i:02d}.png": scene for i, scene in enumerate(fresh_scenes(who, count))}, size
    )


def _written(target: Path, scenes: Mapping[str, Scene], size: int) -> dict[Path, Scene]:
    if scenes:
        target.mkdir(parents=True, exist_ok=True)
    written = {target / name: scene for name, scene in scenes.items()}
    for path, scene in written.items():
        save(draw(scene, size), path)
    return written


def write_empty_places(folder: Path, count: int, size: int = SIZE) -> list[Path]:
    """Writes `folder/beach-0.png` and so on, each place as often, with nobody there: to put something into."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for place in PLACES:
        for seed in range(count):
            path = folder / f"{place.replace(' ', '_')}-{seed}.png"
            save(draw_empty(place, seed, size), path)
            written.append(path)
    return written


def export(
    root: Path,
    names: Sequence[str],
    *,
    suffix: str,
    places: Sequence[str],
    masks: bool = False,
    photos: int | None = None,
    each: int = 1,
    fresh: int = 0,
    size: int = SIZE,
) -> list[Path]:
    """Writes all that the module's description says and returns the pictures; raises KeyError for a wrong name."""
    chosen = {folder_of(name): scenes_of(name, photos) for name in names}
    truth: dict[Path, Scene] = {}
    for name, truths in chosen.items():
        truth |= write_set(root / "dataset", name, truths, suffix=suffix, masks=masks, size=size)
        if masks and size > SIZE:
            write_engravings(root / "engravings", name, truths, size)
        if name not in STYLE_SETS:
            truth |= write_true_pictures(root / "true", truths[0].subject, places, each, size)
            truth |= write_fresh_pictures(root / "fresh", truths[0].subject, fresh, size)
    people = [truths[0].subject for name, truths in chosen.items() if name not in STYLE_SETS]
    (root / "dataset" / "prompts_and_classes.txt").write_text(classes_and_prompts(people), encoding="utf-8")
    (root / "truth.json").write_text(json.dumps(_truth(root, truth, people), indent=1) + "\n", encoding="utf-8")
    return list(truth)


def folder_of(name: str) -> str:
    return _seeded(name).name if ":" in name else name


def scenes_of(name: str, count: int | None = None) -> list[Scene]:
    """The reference scenes of a set's name, or of "class:number"; raises KeyError for another name."""
    return scenes(_seeded(name) if ":" in name else name, count)


def _seeded(name: str) -> Subject:
    noun, _, number = name.partition(":")
    noun = noun.replace("_", " ")
    if noun not in NOUNS or not number.isdecimal():
        raise KeyError(f"{name!r} is no class and number, as in dog:17; classes: {', '.join(NOUNS)}")
    return from_seed(noun, int(number))


def _truth(root: Path, truth: dict[Path, Scene], people: Iterable[Subject]) -> dict[str, Any]:
    """Every individual once; every picture with its scene, in which the individual is named."""
    pictures = {str(path.relative_to(root)): asdict(scene) for path, scene in truth.items()}
    everyone = {scene.subject.name: asdict(scene.subject) for scene in truth.values()}
    for picture in pictures.values():
        picture["subject"] = picture["subject"]["name"]
    return {"subjects": everyone, "pictures": pictures}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("root", type=Path, help="the folder to write")
    parser.add_argument(
        "names", nargs="*", default=list(SETS), metavar="NAME", help=f"class:number, or one of: {', '.join(SETS)}"
    )
    parser.add_argument(
        "--format", choices=("jpg", "png"), default="jpg",
        help="of the reference pictures: jpg as in the data set (slightly lossy), png exact",
    )  # fmt: skip
    parser.add_argument(
        "--photos", type=int, default=None, metavar="N",
        help="reference pictures of each, instead of as many as the data set has; other pictures than those",
    )  # fmt: skip
    parser.add_argument(
        "--fresh", type=int, default=0, metavar="N",
        help="also N pictures of each subject that are no references, in fresh/: to test on",
    )  # fmt: skip
    parser.add_argument(
        "--each", type=int, default=1, metavar="N",
        help="true pictures of each place: the first as always, the others in other poses",
    )  # fmt: skip
    parser.add_argument(
        "--empty", type=int, default=0, metavar="N",
        help="also N pictures of each place with nobody there, in places/",
    )  # fmt: skip
    parser.add_argument(
        "--size", type=int, default=SIZE, metavar="PX",
        help=f"pixels on a side; above {SIZE}, pictures show fur, weave and each individual's engraving",
    )  # fmt: skip
    parser.add_argument(
        "--masks", action="store_true",
        help="beside each reference picture NAME, NAME.mask.png: where the subject is; of large ones also engravings/",
    )  # fmt: skip
    parser.add_argument(
        "--places", nargs="*", default=[], metavar="PLACE",
        help=f"true pictures of each subject in these places; 'all', or: {', '.join(BACKDROPS)}",
    )  # fmt: skip


def run(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    places = list(PLACES) if arguments.places == ["all"] else [place.replace("_", " ") for place in arguments.places]
    for name, least in _LEAST.items():
        given = getattr(arguments, name)
        if given is not None and given < least:
            parser.error(f"--{name} {given}: give at least {least}")
    if unknown := sorted(set(places) - set(BACKDROPS)):
        parser.error(f"--places: unknown: {', '.join(unknown)}. Choose from: {', '.join(BACKDROPS)}")
    size = arguments.size
    if size not in DRAWABLE:
        parser.error(f"--size {size}: pictures can be drawn from {min(DRAWABLE)} to {max(DRAWABLE)} pixels on a side")
    try:
        written = export(
            arguments.root,
            arguments.names,
            suffix=f".{arguments.format}",
            places=places,
            masks=arguments.masks,
            photos=arguments.photos,
            each=arguments.each,
            fresh=arguments.fresh,
            size=size,
        )
    except KeyError as error:
        parser.error(error.args[0])
    if arguments.empty > 0:
        written += write_empty_places(arguments.root / "places", arguments.empty, size)
    print(f"wrote {len(written)} pictures to {arguments.root}")
