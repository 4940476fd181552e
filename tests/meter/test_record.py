"""Records are compared, hashed and copied by their fields."""

from dataclasses import replace

from custom_components.onemeter.meter.reading import Identity, Reading, Register


def test_equal_fields() -> None:
    first, same = Register(None, 5, "Wh"), Register(None, 5, "Wh")
    assert first == same
    assert len({first, same, replace(first, unit="varh")}) == 2
    assert first != Register(None, 6, "Wh")


def test_no_other_attributes() -> None:
    assert not hasattr(Register(None, 5), "__dict__")
    assert not hasattr(Reading(Identity(), None, (), b""), "__dict__")
