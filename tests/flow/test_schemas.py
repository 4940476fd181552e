"""The schemas of the config flow."""

import probatio
import pytest

from custom_components.onemeter.flow.schemas import (
    IEC62056_SCHEMA,
    MULTIPLIER_FIELD,
    PASSWORD_SCHEMA,
    PORT_SCHEMA,
)

from ..helpers.config_flow import (
    sent,
)


@pytest.mark.parametrize(
    "form",
    [PORT_SCHEMA, IEC62056_SCHEMA, probatio.Schema(MULTIPLIER_FIELD), PASSWORD_SCHEMA],
    ids=["port", "iec62056", "multiplier", "password"],
)
def test_forms_can_be_sent_to_the_frontend(form: probatio.Schema) -> None:
    fields = sent(form)
    assert all(isinstance(field["name"], str) for field in fields)
    assert len(fields) == len(form.schema)
