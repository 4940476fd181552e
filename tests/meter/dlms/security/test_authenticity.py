"""Forged and replayed messages are rejected once the meter has sent a right tag."""

from dataclasses import replace

import pytest

from custom_components.onemeter.meter import LineSettings
from custom_components.onemeter.meter.dlms.client import DlmsClient
from custom_components.onemeter.meter.dlms.push.client import DlmsPushClient
from custom_components.onemeter.meter.dlms.push.decoder import DlmsDecoder
from custom_components.onemeter.meter.dlms.security.authenticity import (
    NO_TITLE,
    Authenticity,
    Event,
)
from custom_components.onemeter.meter.dlms.security.ciphering import (
    AUTHENTICATED,
    ENCRYPTED,
    seal,
)
from custom_components.onemeter.meter.dlms.security.protection import Cipher, InvocationCounterRange
from custom_components.onemeter.meter.dlms.settings import Authentication, DlmsSettings
from custom_components.onemeter.meter.errors import (
    NotAuthenticatedError,
    WrongAuthenticationKeyError,
)
from simulator.dlms import Framing, Layout, PushMeter

from ....helpers.dlms_meters import (
    AUTHENTICATION_KEY,
    ENCRYPTION_KEY,
    KEYS,
    SPEED,
    TITLE,
    MemoryCounter,
    ciphered,
    plugged_in,
)

TIME = 1_795_831_200
LATER = TIME + 10
METER = PushMeter(encryption_key=ENCRYPTION_KEY, authentication_key=AUTHENTICATION_KEY)
GENUINE = METER.telegram(TIME)
#: Other messages that meters, or attackers, may send.
PLAIN = PushMeter().telegram(LATER)
UNTAGGED = replace(METER, protection=ENCRYPTED).telegram(LATER)
WRONG_TAG = replace(METER, authentication_key=bytes(16)).telegram(LATER)
FOREIGN = {"plain": PLAIN, "without tag": UNTAGGED, "wrong tag": WRONG_TAG, "replayed": GENUINE}


def judged(judge: Authenticity) -> DlmsDecoder:
    return DlmsDecoder(KEYS, judge)


# --- pushed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FOREIGN)
def test_after_a_right_tag_nothing_else_is_used(kind: str) -> None:
    decoder = judged(Authenticity())
    assert len(decoder.feed(GENUINE)) == 1
    assert decoder.feed(FOREIGN[kind]) == []
    assert decoder.not_authenticated == 1
    assert (decoder.good, decoder.damaged, decoder.other) == (1, 0, 0)
    assert decoder.wrong_authentication_key == decoder.wrong_encryption_key == 0
    assert len(decoder.feed(METER.telegram(LATER))) == 1


@pytest.mark.parametrize("kind", FOREIGN)
def test_that_outlives_a_restart(kind: str) -> None:
    judge, again = Authenticity(), Authenticity()
    judged(judge).feed(GENUINE)
    again.restore(judge.as_json())
    decoder = judged(again)
    assert decoder.feed(FOREIGN[kind]) == []
    assert decoder.not_authenticated == 1
    assert len(decoder.feed(METER.telegram(LATER))) == 1


def test_until_then_telegrams_without_tag_are_used() -> None:
    judge = Authenticity()
    decoder = judged(judge)
    for telegram in (PLAIN, UNTAGGED, PLAIN):
        assert len(decoder.feed(telegram)) == 1
    assert decoder.feed(WRONG_TAG) == []
    assert (decoder.wrong_authentication_key, decoder.not_authenticated) == (1, 0)
    assert not judge.is_required


@pytest.mark.parametrize("layout", [Layout.P1, Layout.P1_HEAD])
def test_readouts_need_tags_too(layout: Layout) -> None:
    meter = replace(METER, layout=layout, framing=Framing.BARE)
    decoder = judged(Authenticity())
    for time in (TIME, LATER):
        assert len(decoder.feed(meter.telegram(time))) == 1
    foreign = replace(meter, protection=ENCRYPTED).telegram(LATER + 10)
    assert decoder.feed(foreign) == []
    assert decoder.feed(PLAIN) == []
    assert decoder.not_authenticated == 2


def test_decoding_a_file_checks_tags_only() -> None:
    decoder = DlmsDecoder(KEYS)
    telegrams = GENUINE + METER.telegram(LATER) + GENUINE + PLAIN + UNTAGGED + WRONG_TAG
    assert len(decoder.feed(telegrams)) == 5
    assert (decoder.wrong_authentication_key, decoder.not_authenticated) == (1, 0)


def test_foreign_telegrams_are_named() -> None:
    judge = Authenticity()
    judge.restore({"is_required": True, "counters": {}})
    client = DlmsPushClient("/dev/null", LineSettings(SPEED), KEYS, judge)
    client._dlms.feed(PLAIN)
    client._copy_counters()
    assert client.counters.not_authenticated == 1
    assert isinstance(client.diagnose(), NotAuthenticatedError)


# --- counters -------------------------------------------------------------------------------------


def test_counters_rise_for_each_title() -> None:
    events: list[Event] = []
    judge = Authenticity()
    judge.observer = events.append

    def admits(counter: int, title: bytes = TITLE) -> bool:
        return judge.admits(is_authentic=True, title=title, counter=counter)

    assert [admits(number) for number in (5, 5, 4, 6)] == [True, False, False, True]
    assert admits(0, bytes(7) + b"\1")
    # The counters of meters without a system title do not rise.
    assert admits(0, NO_TITLE)
    assert admits(0, NO_TITLE)
    assert events == [
        Event.FIRST_TAG,
        Event.ACCEPTED,
        Event.NOT_RISING,
        Event.NOT_RISING,
        Event.ACCEPTED,
        Event.ACCEPTED,
    ]


def test_fallen_counters_go_on_from_where_they_are_when_accepted() -> None:
    judge = Authenticity()

    def admits(counter: int) -> bool:
        return judge.admits(is_authentic=True, title=TITLE, counter=counter)

    assert admits(1000)
    assert not judge.has_lower_counters
    assert not admits(3)
    assert not admits(4)
    assert judge.has_lower_counters
    judge.accept_lower_counters()
    assert not judge.has_lower_counters
    # Messages sent before the confirmation stay rejected.
    assert [admits(number) for number in (3, 4, 5)] == [False, False, True]


def test_what_is_recalled_never_lowers_a_counter() -> None:
    judge = Authenticity()
    assert judge.admits(is_authentic=True, title=TITLE, counter=10)
    judge.restore({"is_required": False, "counters": {TITLE.hex(): 5}})
    assert judge.is_required
    assert not judge.admits(is_authentic=True, title=TITLE, counter=10)


# --- polled ---------------------------------------------------------------------------------------

ANSWER = b"\xc4\x01\xc1\x00\x11\x05"


def answer(control: int, counter: int, key: bytes = AUTHENTICATION_KEY) -> bytes:
    """Return a ciphered answer."""
    protected = seal(
        ANSWER,
        control=control,
        counter=counter,
        title=b"METER678",
        encryption_key=ENCRYPTION_KEY,
        authentication_key=key,
    )
    return b"\xcc" + bytes([len(protected)]) + protected


def cipher(judge: Authenticity) -> Cipher:
    """Return the cipher of a new association."""
    settings = DlmsSettings(keys=KEYS, system_title=TITLE)
    found = Cipher(settings, InvocationCounterRange(), b"", judge)
    found.meter_title = b"METER678"
    return found


def test_answers_need_tags_once_one_was_right() -> None:
    judge = Authenticity()
    both = ENCRYPTED | AUTHENTICATED
    assert cipher(judge).open(answer(ENCRYPTED, 1)) == ANSWER
    with pytest.raises(WrongAuthenticationKeyError):
        cipher(judge).open(answer(both, 2, bytes(16)))
    assert cipher(judge).open(answer(both, 2)) == ANSWER
    foreign = (answer(ENCRYPTED, 3), answer(both, 3, bytes(16)), answer(both, 2), answer(both, 1))
    for sent in foreign:
        with pytest.raises(NotAuthenticatedError):
            cipher(judge).open(sent)
    assert cipher(judge).open(answer(both, 3)) == ANSWER


async def test_meter_whose_counter_has_fallen_is_not_read_until_that_is_accepted() -> None:
    meter, judge = ciphered(server_counter=500), Authenticity()
    settings = DlmsSettings(
        client=1,
        logical_device=1,
        address_length=1,
        authentication=Authentication.HLS_GMAC,
        keys=KEYS,
        system_title=TITLE,
    )
    async with plugged_in(meter) as line:
        client = DlmsClient(line.url, LineSettings(SPEED), settings, MemoryCounter(), judge)
        await client.read()
        assert judge.is_required
        await client.read()
        assert client.counters.not_authenticated == 0
        meter.server_counter = 1
        with pytest.raises(NotAuthenticatedError):
            await client.read()
        assert client.counters.not_authenticated == 1
        assert judge.has_lower_counters
        judge.accept_lower_counters()
        assert (await client.read()).registers
