"""format=croissant: croissant.json, which says in schema.org's words what a data set holds, and how it came to be."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from imprint.errors import UserError
from imprint.files import write_json
from imprint.hashing import file_hash
from imprint.kinds import of_kind
from imprint.labelled.folder import LabelledFolder
from imprint.labelled.formats.base import DataFormat
from imprint.labelled.layout import METADATA
from imprint.labelled.row import Row

FILE = "croissant.json"
CONFORMS_TO = ["http://mlcommons.org/croissant/1.1", "http://mlcommons.org/croissant/RAI/1.0"]
TERMS = [
    "arrayShape",
    "column",
    "containedIn",
    "equivalentProperty",
    "extract",
    "field",
    "fileObject",
    "fileProperty",
    "fileSet",
    "format",
    "includes",
    "isArray",
    "isLiveDataset",
    "jsonPath",
    "key",
    "md5",
    "parentField",
    "path",
    "recordSet",
    "references",
    "regex",
    "repeated",
    "replace",
    "samplingRate",
    "separator",
    "source",
    "subField",
    "transform",
]
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "conformsTo": "dct:conformsTo",
    "citeAs": "cr:citeAs",
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "data": {"@id": "cr:data", "@type": "@json"},
    **{name: f"cr:{name}" for name in TERMS},
}
COLUMNS = {
    "file_name": ("sc:Text", "The picture's file, relative to the folder of its split."),
    "subject": ("sc:Text", "Who or what is shown."),
    "class": ("sc:Text", "What it is: dog, backpack."),
    "source": ("sc:Text", "real, of photos; or the way in which a program made the picture."),
    "prompt": ("sc:Text", "What the model was asked for."),
    "seed": ("sc:Integer", "The seed of its noise."),
    "parent": ("sc:Text", "The photo that it was made from."),
    "run": ("sc:Text", "The training whose result drew it."),
    "label_quality": ("sc:Text", "Of boxes and masks: construction, exact; estimated, by an algorithm."),
    "estimator": ("sc:Text", "What found boxes and masks that are estimated, where that is known."),
    "shift": ("sc:Text", "Of a photo to test on: what it has that training has not."),
}
NESTED = {  # columns of tables: their columns
    "labels": (
        "Soft labels: subjects or classes, and their shares, which sum to 1.",
        {"label": "sc:Text", "share": "sc:Float"},
    ),
    "objects": ("Boxes: left, top, width, height in pixels.", {"label": "sc:Text"}),
}


@of_kind("data_format/croissant")
class Croissant(DataFormat):
    """It describes the folder that it lies in, which is one that `datasets` reads."""

    is_in_place = True

    def problems(self, data: LabelledFolder) -> Iterator[str]:
        if not data.about:
            yield (
                "format=croissant describes a data set of imprint's, and this is none. format=imagefolder makes one of "
                "it, with croissant.json."
            )

    def place(self, folder: Path, name: str) -> Path:
        return folder / FILE

    def write(self, data: LabelledFolder, out: Path) -> None:
        if out.resolve() != (data.folder / FILE).resolve():
            raise UserError(f"out={out}: it describes the folder that it lies in. Leave out=... out.")
        write_croissant(data, name=data.folder.name)


def write_croissant(data: LabelledFolder, *, name: str) -> None:
    rows = [row for _, row in data.rows()]
    write_json(
        data.folder / FILE, {**_about(data, rows, name), "recordSet": [_records(split) for split in data.splits]}
    )


def _about(data: LabelledFolder, rows: list[Row], name: str) -> dict[str, Any]:
    synthetic = sum(not row.is_real for row in rows)
    rights = data.about.get("rights")
    stated = (
        "; ".join(f"{who}: {text or 'not stated'}" for who, text in rights.items()) if isinstance(rights, dict) else ""
    )
    version = data.about.get("imprint")
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": name,
        "description": f"{len(rows)} labelled pictures of {len(data.subjects)} subjects, {synthetic} synthetic.",
        "version": "1.0.0",
        "isLiveDataset": False,
        "keywords": [*(["synthetic"] if synthetic else []), *data.nouns],
        "rai:dataCollection": (
            "Photos of each subject, and pictures that a text-to-image model drew which was trained on such photos."
            if synthetic
            else "Photos of each subject."
        ),
        "rai:dataCollectionType": ["Synthetic data"] if synthetic else ["Others"],
        "rai:dataAnnotationProtocol": [
            "Each picture has the label of the subject that it was drawn of, or photographed."
        ],
        "rai:machineAnnotationTools": [f"imprint {version}" if version else "imprint"],
        "rai:dataLimitations": ["A model that knows a subject from few photos may repeat them, with places and poses."]
        if synthetic
        else ["Few photos of each subject."],
        "rai:dataUseCases": ["Training and testing of what recognises these subjects."],
        "rai:personalSensitiveInformation": [f"Rights in the photos: {stated or 'not stated'}."],
        "distribution": [part for split in data.splits for part in _files(data, split)],
    }


def _files(data: LabelledFolder, split: str) -> Iterator[dict[str, Any]]:
    yield {
        "@type": "cr:FileObject",
        "@id": f"{split}-metadata",
        "name": f"{split}-metadata",
        "contentUrl": f"{split}/{METADATA}",
        "encodingFormat": "application/jsonlines",
        "sha256": file_hash(data.folder / split / METADATA),
    }
    yield {
        "@type": "cr:FileSet",
        "@id": f"{split}-pictures",
        "name": f"{split}-pictures",
        "encodingFormat": "image/png",
        "includes": f"{split}/**/*.png",
    }


def _records(split: str) -> dict[str, Any]:
    fields = [_field(split, name, type_, said) for name, (type_, said) in COLUMNS.items()]
    return {"@type": "cr:RecordSet", "@id": split, "name": split, "field": [*fields, *_nested(split)]}


def _field(split: str, name: str, type_: str, said: str) -> dict[str, Any]:
    source = {"fileObject": {"@id": f"{split}-metadata"}, "extract": {"column": name}}
    field_id = f"{split}/{name}"
    return {
        "@type": "cr:Field",
        "@id": field_id,
        "name": field_id,
        "description": said,
        "dataType": type_,
        "source": source,
    }


def _nested(split: str) -> Iterator[dict[str, Any]]:
    for name, (said, columns) in NESTED.items():
        inner = []
        for column, type_ in columns.items():
            part = _field(split, f"{name}/{column}", type_, column)
            part["source"]["extract"] = {"column": name}
            part["source"]["transform"] = {"jsonPath": f"$[*].{column}"}
            part["repeated"] = True
            inner.append(part)
        yield {
            "@type": "cr:Field",
            "@id": f"{split}/{name}",
            "name": f"{split}/{name}",
            "description": said,
            "repeated": True,
            "subField": inner,
        }
