"""C2PA manifests: signed statements of origin inside of a picture's file. Needs the extra `credentials` (c2pa-python).

No network is asked: not for a time stamp, not for a manifest elsewhere, not for a certificate's revocation.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from PIL import Image

from imprint import __version__
from imprint.errors import UserError
from imprint.pictures.files import readable_formats
from imprint.provenance.base import MadeBy
from imprint.provenance.certificate import KeyPair
from imprint.provenance.xmp import SOFTWARE, SOURCE_TYPES

EXTRA = 'the extra `credentials` (pip install "imprint-diffusion[credentials]")'
WEIGHTS = "imprint.weights"  # the assertion with the hashes
NOT_ALLOWED = ": notAllowed"
TRAINING = ("ai_generative_training", "ai_training", "data_mining")  # uses that would forbid a training
SETTINGS: Mapping[str, Any] = {
    "builder": {"thumbnail": {"enabled": False}},  # which would take a hundred kilobytes and most of the time
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
}


class Credentials(NamedTuple):
    """A picture's manifest. `state` is Valid, Trusted or Invalid, or "unread" without the extra."""

    state: str
    problems: tuple[str, ...]  # codes of what the validation found
    signer: str
    software: str
    source_types: tuple[str, ...]
    mining: tuple[str, ...]  # uses that the manifest speaks of: "ai_generative_training: notAllowed"
    made_by: MadeBy


def are_installed() -> bool:
    try:
        import c2pa  # noqa: F401
    except ImportError:
        return False
    return True


def signed(png: bytes, pair: KeyPair, made_by: MadeBy, *, parts: Sequence[bytes] = ()) -> bytes:
    """The same picture with a manifest. `parts` are pictures that it was made from. Raises UserError where the
    certificate may not sign pictures."""
    import c2pa

    names = [f"part-{number}" for number in range(len(parts))]
    agent = {"name": SOFTWARE, "version": __version__}
    actions: list[dict[str, Any]] = [
        {
            "action": "c2pa.created",
            "digitalSourceType": f"{SOURCE_TYPES}{made_by.source_type}",
            "softwareAgent": agent,
        },
        *([{"action": "c2pa.placed", "parameters": {"ingredientIds": names}}] if names else []),
    ]
    manifest = {
        "claim_generator_info": [agent],
        "format": "image/png",
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": actions}},
            {"label": WEIGHTS, "data": made_by.hashes},
        ],
    }
    out = io.BytesIO()
    try:
        info = c2pa.C2paSignerInfo(
            alg=c2pa.C2paSigningAlg[pair.algorithm], sign_cert=pair.chain, private_key=pair.key, ta_url=None
        )
        with (
            c2pa.Context.from_dict(SETTINGS) as context,
            c2pa.Signer.from_info(info) as signer,
            c2pa.Builder.from_json(json.dumps(manifest), context=context) as builder,
        ):
            for name, part in zip(names, parts, strict=True):
                about = {"title": name, "relationship": "componentOf", "instance_id": name}
                builder.add_ingredient(json.dumps(about), "image/png", io.BytesIO(part))
            builder.sign(signer, "image/png", io.BytesIO(png), out)
    except c2pa.C2paError as error:
        raise UserError(
            f"provenance.certificate: it cannot sign pictures ({error}). C2PA wants a certificate of an authority, for "
            "digital signatures, with an extended key usage such as emailProtection."
        ) from error
    return out.getvalue()


def read(content: bytes, *, anchors: bytes = b"") -> Credentials | None:
    """The manifest in a picture's bytes; None where there is none. `anchors` are certificates of authorities, in PEM
    form, whose signatures are trusted."""
    if b"c2pa" not in content:  # the label of the box that holds it
        return None
    if not are_installed():
        return Credentials("unread", (), "", "", (), (), MadeBy((), ()))
    import c2pa

    trust = {"trust": {"trust_anchors": anchors.decode("ascii", "replace")}} if anchors else {}
    try:
        with (
            c2pa.Context.from_dict({**SETTINGS, **trust}) as context,
            c2pa.Reader(_format(content), io.BytesIO(content), context=context) as reader,
        ):
            return _credentials(json.loads(reader.json()), str(reader.get_validation_state()))
    except c2pa.C2paError.ManifestNotFound:
        return None
    except (c2pa.C2paError, ValueError) as error:
        return Credentials("Invalid", (str(error),), "", "", (), (), MadeBy((), ()))
    except (AttributeError, KeyError, TypeError):  # the library checks signatures, not what assertions hold
        return Credentials("Invalid", ("assertions of another form",), "", "", (), (), MadeBy((), ()))


def _format(content: bytes) -> str:
    try:
        with Image.open(io.BytesIO(content), formats=readable_formats()) as opened:
            return Image.MIME.get(str(opened.format), "")
    except Exception:  # on damaged bytes, Pillow's readers raise nearly everything
        return ""


def _credentials(store: Mapping[str, Any], state: str) -> Credentials:
    manifests = store.get("manifests", {})
    active = manifests.get(store.get("active_manifest"), {})
    assertions = [each for manifest in manifests.values() for each in manifest.get("assertions", [])]
    weights: Mapping[str, Any] = next(
        (each["data"] for each in active.get("assertions", []) if each["label"] == WEIGHTS), {}
    )
    generators = active.get("claim_generator_info") or [{}]
    signature = active.get("signature_info", {})
    return Credentials(
        state=state,
        problems=tuple(str(each.get("code")) for each in store.get("validation_status", [])),
        signer=", ".join(str(signature[key]) for key in ("common_name", "issuer") if signature.get(key)),
        software=" ".join(str(generators[0].get(key, "")) for key in ("name", "version")).strip(),
        source_types=tuple(_source_types(assertions)),
        mining=tuple(_mining(assertions)),
        made_by=MadeBy(
            bases=_hashes(weights, "bases"),
            results=_hashes(weights, "results"),
            parents=_hashes(weights, "parents"),
            settings=_hashes(weights, "settings"),
        ),
    )


def _hashes(weights: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(map(str, weights.get(name, ())))


def _source_types(assertions: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for assertion in assertions:
        if assertion["label"].startswith("c2pa.actions"):
            for action in assertion["data"].get("actions", []):
                if "digitalSourceType" in action:
                    yield str(action["digitalSourceType"])


def _mining(assertions: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for assertion in assertions:
        if assertion["label"] in ("cawg.training-mining", "c2pa.training-mining"):
            for name, entry in assertion["data"].get("entries", {}).items():
                use = name.rpartition(".")[2]
                if use in TRAINING:
                    yield f"{use}: {entry.get('use')}"
