"""The table, and that Home Assistant allows its quantities."""

import pytest

from custom_components.onemeter.registers import quantities
from custom_components.onemeter.registers.quantities import BY_UNIT, LOCAL_TIME, TIME, Quantity
from custom_components.onemeter.registers.table import (
    DESCRIPTIVE,
    GERMAN,
    HEAT_METER,
    IMPULSES,
    MANY,
    MBUS,
    MEASURED,
    OTHER_MEDIA,
    SPECIAL,
)
from homeassistant.components.sensor import DEVICE_CLASS_STATE_CLASSES, DEVICE_CLASS_UNITS
from homeassistant.components.sensor.const import STATE_CLASS_UNITS

QUANTITIES = {
    name: quantity for name, quantity in vars(quantities).items() if isinstance(quantity, Quantity)
}
DESCRIPTIONS = [
    *MEASURED.values(),
    *(description for description, _ in SPECIAL.values()),
    *(description for description, _ in DESCRIPTIVE.values()),
    *MANY.values(),
    *GERMAN.values(),
    *OTHER_MEDIA.values(),
    *(description for description in MBUS.values() if description is not None),
    *HEAT_METER.values(),
    *IMPULSES.values(),
]


@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=QUANTITIES)
def test_home_assistant_allows(quantity: Quantity) -> None:
    device_class, state_class = quantity.device_class, quantity.state_class
    assert device_class is None or quantity.unit in DEVICE_CLASS_UNITS.get(device_class, {None})
    assert device_class is None or state_class in {
        None,
        *DEVICE_CLASS_STATE_CLASSES.get(device_class, {}),
    }
    assert state_class is None or quantity.unit in STATE_CLASS_UNITS.get(
        state_class, {quantity.unit}
    )


@pytest.mark.parametrize("quantity", QUANTITIES.values(), ids=QUANTITIES)
def test_units_of_meters(quantity: Quantity) -> None:
    assert quantity.exponents.get(quantity.unit, 0) == 0
    assert quantity.implied is None or quantity.implied in quantity.exponents


def test_each_unit_tells_one_quantity() -> None:
    assert all(unit in quantity.exponents for unit, quantity in BY_UNIT.items())
    assert None not in BY_UNIT


def test_what_is_measured_has_a_quantity_and_what_is_told_of_the_meter_is_diagnostic() -> None:
    assert all(
        description.quantity is not None or description.diagnostic for description in DESCRIPTIONS
    )
    assert not [
        description.key
        for description in DESCRIPTIONS
        if description.quantity in (TIME, LOCAL_TIME) and not description.diagnostic
    ]


def test_descriptions_of_one_name_are_equal_but_for_the_medium() -> None:
    by_key = {description.key: description for description in DESCRIPTIONS}
    assert [
        description.key for description in DESCRIPTIONS if description != by_key[description.key]
    ] == []
