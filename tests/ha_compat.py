"""Lets the test plugin made for Home Assistant 2026.10 run on 2026.11.

pytest-homeassistant-custom-component 0.13.375 is made for 2026.10.4. Two things stop it on 2026.11,
and both must be mended before it loads: scripts/test therefore names this module to pytest with -p.
It can go as soon as a release of the plugin for 2026.11 is out and pinned.
"""

# ruff: isort: skip_file

# 2026.11 replaces httpx by httpx2 on import and refuses when httpx is there already; the plugin
# imports httpx (through respx) before Home Assistant.
import homeassistant  # noqa: F401

# The plugin must patch these before anything else of Home Assistant is imported.
from pytest_homeassistant_custom_component import (  # noqa: F401
    patch_json,
    patch_recorder,
    patch_time,
)

# The plugin imports this function from where 2026.10 has it.
from homeassistant.components import logger
from homeassistant.components.logger.helpers import _clear_logger_overwrites

logger._clear_logger_overwrites = _clear_logger_overwrites
