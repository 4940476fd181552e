"""Discovery of S10 senders by what they publish with MQTT."""

from collections.abc import Iterator
import re
from typing import TYPE_CHECKING, Any, Final

from homeassistant.config_entries import SOURCE_INTEGRATION_DISCOVERY, ConfigEntry
from homeassistant.const import CONF_MAC
from homeassistant.core import HomeAssistant, callback
from homeassistant.helpers import discovery_flow
from homeassistant.helpers.singleton import singleton
from homeassistant.util.hass_dict import HassKey

from ..const import DOMAIN
from ..meter.blink.s10 import TOPIC, parse_s10
from ..meter.errors import TelegramError
from ..settings import BlinkEntrySettings, HassSource, from_entry, second_source

if TYPE_CHECKING:
    from homeassistant.components import mqtt

#: Senders that are offered at the same time; a neighbourhood has fewer.
FLOWS_MAX: Final = 16
#: Addresses that are remembered, so that their messages cost next to nothing.
_KNOWN_MAX: Final = 256
#: What all flows that offer a sender have in their context.
_OFFER: Final[dict[str, Any]] = {"source": SOURCE_INTEGRATION_DISCOVERY}
_MAC: Final = re.compile(r"[0-9A-F]{12}(?:[0-9A-F]{4})?", re.ASCII)


class SenderDiscovery:
    """Starts a config flow for each sender that no entry counts.

    Home Assistant itself would start one for each message that differs from the one before, which
    is one for each flash.
    """

    def __init__(self, hass: HomeAssistant) -> None:
        """Begin without any known sender."""
        self._hass = hass
        self._known: set[str] = set()

    @callback
    def async_received(self, message: mqtt.ReceiveMessage) -> None:
        """Take a message of the senders' topic."""
        self.async_take(message.payload)

    @callback
    def async_take(self, payload: str | bytes | bytearray) -> None:
        """Offer the senders of a message that are not known yet."""
        try:
            senders = {flash.mac for flash in parse_s10(payload)}
        except TelegramError:
            return
        for mac in senders - self._known:
            self._async_offer(mac)

    @callback
    def _async_offer(self, mac: str) -> None:
        if len(self._known) >= _KNOWN_MAX or not _MAC.fullmatch(mac):
            return
        entries = self._hass.config_entries.async_entries(DOMAIN, include_ignore=False)
        if not any(mac in _counted_by(entry) for entry in entries):
            flows = self._hass.config_entries.flow.async_progress_by_handler(
                DOMAIN, match_context=_OFFER
            )
            if len(flows) >= FLOWS_MAX:
                return
            discovery_flow.async_create_flow(
                self._hass,
                DOMAIN,
                {"source": SOURCE_INTEGRATION_DISCOVERY},
                {CONF_MAC: mac},
            )
        self._known.add(mac)


_DISCOVERY: Final[HassKey[SenderDiscovery]] = HassKey(f"{DOMAIN}.s10_discovery")


@singleton(_DISCOVERY, async_=True)
async def async_sender_discovery(hass: HomeAssistant) -> SenderDiscovery:
    """Return the discovery, which is subscribed to the senders' topic from the first call on."""
    # Not every installation has it.
    from homeassistant.components import mqtt  # noqa: PLC0415

    discovery = SenderDiscovery(hass)
    await mqtt.async_subscribe(hass, TOPIC, discovery.async_received)
    return discovery


def offer_id(mac: str) -> str:
    """Return the unique id of the flow that offers a sender."""
    return f"s10-{mac}"


@callback
def async_end_offers(hass: HomeAssistant, entry: ConfigEntry) -> None:
    """End the flows that offer a sender which an entry counts by now."""
    flows = hass.config_entries.flow
    counted = set(map(offer_id, _counted_by(entry)))
    for flow in flows.async_progress_by_handler(DOMAIN, match_context=_OFFER):
        # A flow whose sender was tried already has the unique id of its entry.
        if flow["context"].get("unique_id") in counted:
            flows.async_abort(flow["flow_id"])


def _counted_by(entry: ConfigEntry) -> Iterator[str]:
    """Yield the addresses of the senders that an entry counts."""
    for settings in (from_entry(entry.data), second_source(entry.options)):
        if isinstance(settings, BlinkEntrySettings) and settings.source is HassSource.MQTT:
            yield settings.source_id.rpartition("/")[2]
