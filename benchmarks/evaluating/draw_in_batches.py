"""Draws what an evaluation lacks, as `imprint evaluate` does.

python draw_in_batches.py RUN [overrides of `imprint evaluate`]
"""

import sys
from pathlib import Path

from spent import spent

from imprint.config import compose
from imprint.requests import read_request
from imprint.runs import Run
from imprint.scoring.galleries import complete_galleries, galleries_of
from imprint.scoring.subject import open_subjects
from imprint.training.trainer import process_device
from imprint.verbs.evaluate import Request

folder, *overrides = sys.argv[1:]
request = read_request(Request, compose("evaluate", overrides))
profile, device = request.evaluation, process_device(request.accelerator)
assert profile is not None
[subject] = open_subjects(
    Run.finished(Path(folder)), profile, encoders=request.encoders, class_photos=[], scale={}, device=device
)
with spent():
    complete_galleries([galleries_of(subject, profile)], device)
