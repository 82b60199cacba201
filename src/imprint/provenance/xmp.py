"""XMP packets: the statement that marks a picture, and the properties of any packet."""

from collections.abc import Mapping
from xml.etree import ElementTree
from xml.sax.saxutils import quoteattr

from imprint import __version__
from imprint.provenance.base import MadeBy

RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/"
PLUS = "http://ns.useplus.org/ldf/xmp/1.0/"
XMP = "http://ns.adobe.com/xap/1.0/"
OWN = "urn:imprint:provenance:1.0:"

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
SOFTWARE = "imprint"

MOST_CHARACTERS = 1_000_000  # of a packet that is parsed


def statement(made_by: MadeBy) -> str:
    """A packet that says: made by a trained model, or put together, with this program, from weights and photos."""
    properties = {
        "Iptc4xmpExt:DigitalSourceType": f"{SOURCE_TYPES}{made_by.source_type}",
        "xmp:CreatorTool": f"{SOFTWARE} {__version__}",
        "imprint:BaseModel": " ".join(made_by.bases),
        "imprint:Result": " ".join(made_by.results),
        "imprint:Parent": " ".join(made_by.parents),
        "imprint:Settings": " ".join(made_by.settings),
    }
    attributes = " ".join(f"{name}={quoteattr(value)}" for name, value in properties.items() if value)
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{RDF}"><rdf:Description rdf:about="" '
        f'xmlns:Iptc4xmpExt="{IPTC}" xmlns:xmp="{XMP}" xmlns:imprint="{OWN}" {attributes}/></rdf:RDF></x:xmpmeta>'
        '<?xpacket end="w"?>'
    )


def properties(packet: str | bytes) -> Mapping[str, list[str]]:
    """By "{namespace}name", the texts of each property. Of what is no packet, none: nothing is raised."""
    text = packet.decode("utf-8", "replace") if isinstance(packet, bytes) else packet
    text = text.strip("\x00\ufeff \r\n\t")
    if len(text) > MOST_CHARACTERS or "<!DOCTYPE" in text or "<!ENTITY" in text:  # which could expand without end
        return {}
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError):
        return {}
    found: dict[str, list[str]] = {}
    for description in root.iter(f"{{{RDF}}}Description"):
        for name, value in description.attrib.items():
            found.setdefault(name, []).append(value)
        for element in description:
            resource = [element.attrib[f"{{{RDF}}}resource"]] if f"{{{RDF}}}resource" in element.attrib else []
            inside = [part.text.strip() for part in element.iter() if part.text and part.text.strip()]
            found.setdefault(element.tag, []).extend([*resource, *inside])
    return found
