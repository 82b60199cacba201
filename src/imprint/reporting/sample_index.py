"""The index of a run's sample pictures, read."""

from typing import NamedTuple

from imprint.file_contents import refuse
from imprint.pictures.store import REMEDY, read_index
from imprint.runs import Run


class SampleEntry(NamedTuple):
    """A picture in samples.json. Files are relative to it; `untuned_file` is the same picture at step 0."""

    step: int
    prompt: str
    seed: int
    file: str
    untuned_file: str | None


def read_samples(run: Run) -> list[SampleEntry]:
    """By step. Raises UserError for an index that cannot be read."""
    file = run.sample_index
    if not file.is_file():
        return []
    try:
        _, listed = read_index(file)
        pictures = [(each["step"], each["prompt"], each["seed"], each["file"]) for each in listed]
    except KeyError as error:
        refuse(file, f"of a picture it does not say the {error.args[0]}", REMEDY, error)
    untuned = {(prompt, seed): name for step, prompt, seed, name in pictures if step == 0}
    entries = [SampleEntry(*each, untuned.get(each[1:3])) for each in pictures]
    return sorted(entries, key=lambda entry: entry.step)
