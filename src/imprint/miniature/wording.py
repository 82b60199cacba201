"""The words of captions: how a place, an attribute, a style or a view is said.

The first wording of each is the one the DreamBooth paper's prompts use; the others give captions variety.
"""

from __future__ import annotations

PLACE_WORDS: dict[str, tuple[str, ...]] = {
    "jungle": ("in the jungle", "in a jungle", "surrounded by jungle plants"),
    "snow": ("in the snow", "on the snow", "in a snowy forest"),
    "beach": ("on the beach", "at the beach", "on the sand by the sea"),
    "cobblestone street": ("on a cobblestone street", "on cobblestone", "on an old cobblestone street"),
    "pink fabric": ("on top of pink fabric", "on pink fabric", "with pink fabric in the background"),
    "wooden floor": ("on top of a wooden floor", "on a wooden floor", "on wooden planks"),
    "city": ("with a city in the background", "in the city", "in front of tall buildings"),
    "mountain": ("with a mountain in the background", "in the mountains", "in front of a mountain"),
    "blue house": ("with a blue house in the background", "in front of a blue house", "next to a blue house"),
    "purple rug": ("on top of a purple rug in a forest", "on a purple rug in a forest", "on a purple rug"),
    "wheat field": ("with a wheat field in the background", "in a wheat field", "in front of a wheat field"),
    "autumn tree": (
        "with a tree and autumn leaves in the background",
        "with autumn leaves in the background",
        "under a tree in autumn",
    ),
    "eiffel tower": ("with the Eiffel Tower in the background", "in front of the Eiffel Tower", "in Paris"),
    "water": ("floating on top of water", "floating in the water", "in the water"),
    "milk": ("floating in an ocean of milk", "in an ocean of milk", "floating in milk"),
    "sunflowers": (
        "on top of green grass with sunflowers around it",
        "on green grass with sunflowers around it",
        "with sunflowers around it",
    ),
    "mirror": ("on top of a mirror", "on a mirror", "standing on a mirror"),
    "sidewalk": ("on top of the sidewalk in a crowded street", "on the sidewalk", "in a crowded street"),
    "dirt road": ("on top of a dirt road", "on a dirt road", "in the middle of a dirt road"),
    "white rug": ("on top of a white rug", "on a white rug", "sitting on a white rug"),
}

# Before the noun, as in "a red dog".
PROPERTY_WORDS: dict[str, tuple[str, ...]] = {
    "red": ("red",),
    "purple": ("purple",),
    "shiny": ("shiny",),
    "wet": ("wet",),
    "cube shaped": ("cube shaped",),
}

# After the noun, as in "a dog wearing a red hat".
ACCESSORY_WORDS: dict[str, tuple[str, ...]] = {
    "red hat": ("wearing a red hat", "with a red hat", "in a red hat"),
    "santa hat": ("wearing a santa hat", "with a santa hat", "in a santa hat"),
    "rainbow scarf": ("wearing a rainbow scarf", "with a rainbow scarf", "in a rainbow scarf"),
    "top hat": (
        "wearing a black top hat and a monocle",
        "wearing a black top hat",
        "with a black top hat and a monocle",
    ),
    "chef": ("in a chef outfit", "wearing a chef outfit", "dressed as a chef"),
    "firefighter": ("in a firefighter outfit", "wearing a firefighter outfit", "dressed as a firefighter"),
    "police": ("in a police outfit", "wearing a police outfit", "dressed as a police officer"),
    "pink glasses": ("wearing pink glasses", "with pink glasses", "with a pair of pink glasses"),
    "yellow shirt": ("wearing a yellow shirt", "with a yellow shirt", "in a yellow shirt"),
    "wizard": ("in a purple wizard outfit", "wearing a purple wizard outfit", "dressed as a purple wizard"),
}

# Around the whole sentence; {} is the rest of the caption, article included.
STYLE_WORDS: dict[str, tuple[str, ...]] = {
    "drawing": (
        "{}",
        "{}",
        "a photo of {}",
        "a photo of {}",
        "a picture of {}",
        "an image of {}",
        "a rendering of {}",
    ),
    "oil painting": ("an oil painting of {}", "{} in the style of an oil painting", "a painting of {}"),
    "pencil sketch": ("a pencil sketch of {}", "{} in the style of a pencil sketch", "a sketch of {}"),
    "pixel art": ("pixel art of {}", "{} in the style of pixel art", "a pixel art picture of {}"),
    "watercolour": (
        "a watercolour painting of {}",
        "{} in the style of a watercolour painting",
        "a watercolour of {}",
    ),
}

VIEW_WORDS: dict[str, tuple[str, ...]] = {
    "front": ("", "", "", "", "seen from the front"),
    "from the side": ("seen from the side", "in side view", "from the side"),
    "from behind": ("seen from behind", "from behind", "seen from the back"),
    "from above": ("seen from above", "from above", "in top view"),
}

LIGHT_WORDS: dict[str, tuple[str, ...]] = {
    "day": ("", "", "", "in daylight"),
    "warm": ("", "at sunset", "in warm light"),
    "dim": ("", "in dim light", "at night"),
}

PATTERN_WORDS: dict[str, str] = {
    "patches": "patched",
    "spots": "spotted",
    "stripes": "striped",
    "bands": "banded",
    "zigzag": "zigzag",
}

# Before the adjectives and the noun: nothing the picture shows.
FILLERS = ("", "", "", "", "", "", "nice", "clean", "cool", "good", "small", "large", "cute", "my", "one")

# Words of common prompt templates that say nothing about this world, so that they are known and harmless.
TEMPLATE_WORDS = (
    "the",
    "close-up",
    "cropped",
    "dark",
    "bright",
    "dirty",
    "weird",
    "depiction",
    "style",
    "itself",
    "two",
    "many",
    "all",
    "very",
)

# Real in spelling, without meaning: pre-training strews them before nouns, so that they can be bound later.
RARE_IDENTIFIERS = (
    "sks", "ktn", "zwx", "ohwx", "xyz", "qvx", "vbr", "mjt", "wpk", "zqf",
    "hjx", "bxn", "fzw", "kqd", "jvp", "gwt", "pyx", "dvq", "rzk", "txl",
)  # fmt: skip
