"""Run folders as training leaves them, written by hand."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock
from PIL import Image, ImageDraw

from imprint.data.pictures import content_hash
from imprint.evaluation.score_sheet import ScoreSheet
from imprint.pictures.store import INDEX

PROMPTS = ("a sks dog", "a sks dog in the jungle")


def picture(path: Path, hue: int, side: int = 64) -> None:
    image = Image.new("HSV", (side, side), (hue % 256, 90, 220)).convert("RGB")
    draw = ImageDraw.Draw(image)
    inset = side // 4
    draw.ellipse((inset, inset, side - inset, side - inset), fill=((hue * 3) % 256, (hue * 7) % 256, 120))
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


def make_run(
    folder: Path,
    *,
    settings: Mapping[str, Any],
    status: str = "finished",
    steps: int = 200,
    drawn_at: Sequence[int] = (0, 200),
    prompts: Sequence[str] = PROMPTS,
    error: str = "",
) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(yaml.safe_dump(dict(settings)), encoding="utf-8")
    training = {"steps": steps, "seconds": 83.4, "loss": 0.1, "peak_memory_bytes": 3 * 2**30}
    (folder / "manifest.json").write_text(
        json.dumps({"status": status, "training": training if steps else {}}), encoding="utf-8"
    )
    rows = [f"{n},{0.12 * math.exp(-n / 90) + 0.05 + 0.03 * math.sin(n * 1.7)},1e-06" for n in range(1, steps + 1)]
    if rows:
        (folder / "metrics.csv").write_text("\n".join(["step,loss,lr/denoiser", *rows, ""]), encoding="utf-8")
    index = []
    for step in drawn_at:
        for number, prompt in enumerate(prompts):
            for seed in (0, 1):
                file = f"step-{step:06d}/{number:02d}-s{seed}.png"
                picture(folder / "samples" / file, step + 40 * number + 17 * seed)
                untuned = f"step-000000/{number:02d}-s{seed}.png"
                index.append({"step": step, "prompt": prompt, "seed": seed, "file": file, "untuned_file": untuned})
    if index:
        (folder / "samples" / "samples.json").write_text(json.dumps(index), encoding="utf-8")
    if error:
        (folder / "error.txt").write_text(error, encoding="utf-8")
    return folder


def scored_pictures(run: Path, own: ScoreSheet) -> Path:
    """As an evaluation leaves them; returns their index."""
    folder, listed = run / "pictures" / "subject-0123456789ab", []
    for name, number, k, _ in own.rows["tuned"]["dino"].values:
        assert number is not None
        assert k is not None
        file, template = f"{number:03d}-{k}.png", own.prompts[name][number][0]
        picture(folder / file, 60 * number + 20 * k)
        asked = {"set": name, "number": number, "k": k, "template": template}
        listed.append({"file": file, **asked, "prompt": template, "seed": number, "content": "00", "state": "ok"})
    index = folder / INDEX
    index.write_text(json.dumps({"subject": own.subject, **own.drawing, "pictures": listed}), encoding="utf-8")
    return index


@contextmanager
def being_trained(folder: Path) -> Iterator[None]:
    """The run's lock is held meanwhile, as by the process that trains it."""
    with FileLock(folder / ".lock"):
        yield


def knows_photos(run: Path, folder: Path, photos: Sequence[Path]) -> None:
    """As where it was trained: the manifest says where the photos lay, and has a hash of each."""
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    dataset = {"path": str(folder), "background": "white"}
    hashes = [content_hash(photo.read_bytes(), "white") for photo in photos]
    (run / "manifest.json").write_text(json.dumps({**manifest, "config": {"dataset": dataset}, "photos": hashes}))
