import os

from imprint.data.listing import natural_key, printable


def test_numbers_sort_by_value() -> None:
    names = ["10.jpg", "2.jpg", "b.jpg", "A.jpg", "a2b10.jpg", "a2b9.jpg", "02.jpg"]
    in_order = ["02.jpg", "2.jpg", "10.jpg", "a2b9.jpg", "a2b10.jpg", "A.jpg", "b.jpg"]
    assert sorted(names, key=natural_key) == in_order
    assert sorted(reversed(names), key=natural_key) == in_order


def test_ordinary_names_are_shown_as_they_are() -> None:
    assert printable("der Hund (2) – 犬.jpg") == "der Hund (2) – 犬.jpg"


def test_whatever_a_file_is_called_its_shown_name_is_printable_and_its_own() -> None:
    names = [b"a\xff.jpg", b"a\\xff.jpg", b"a\n.jpg", b"a\x1b[31m.jpg", "a\u202e.jpg".encode(), b"a\\n.jpg"]
    shown = [printable(os.fsdecode(name)) for name in names]
    assert len(set(shown)) == len(names)
    for name in shown:
        assert name.isprintable()
        assert name.encode()
    assert printable("\ud800")
