"""Names of manufacturers."""

import pytest

from custom_components.onemeter.meter.flag import manufacturer_name


@pytest.mark.parametrize(
    ("letters", "name"),
    [("ISK", "Iskraemeco"), ("ISk", "Iskraemeco"), ("LGZ", "Landis+Gyr"), ("QQQ", "QQQ")],
)
def test_manufacturer_name(letters: str, name: str) -> None:
    assert manufacturer_name(letters) == name


def test_letters_that_nobody_knows_stay_as_they_are() -> None:
    assert manufacturer_name("Qqq") == "Qqq"
    assert manufacturer_name("") == ""
