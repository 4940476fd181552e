"""Sign-on with retries: until the meter sends what was selected, at a speed that is understood."""

from itertools import cycle
from typing import Final

from ..channel import Channel
from ..errors import (
    UNKNOWN,
    ChecksumError,
    FixedSpeedError,
    MeterError,
    MeterPushesError,
    MeterSilentError,
    NoReadoutError,
    UnknownDataError,
    WrongParityError,
)
from ..looks import Look, looks_like
from ..parity import without_parity
from .block import CheckKind
from .identification import IDENTIFICATION_LINE, SPEEDS, Identification
from .memory import OTHER_SPEED, Memory
from .progress import discard_readout
from .settings import SignOn
from .sign_on import (
    Option,
    SignOnResponse,
    agreed_speed,
    end_session,
    is_acknowledged,
    request_identification,
    send_acknowledgement,
)
from .speed_detection import (
    DAMAGED_SHARE,
    SAMPLE_SECONDS,
    SAMPLE_SHARE,
    WrongSpeedError,
    complete_sample,
    find_speed,
    has_other_parity,
    is_text,
)

#: Seconds after the change of speed within which the answer begins (tr, 6.3.14 item 12): another
#: acknowledgement would disturb it. Most meters that have not received it fall back just after.
_ANSWER_SECONDS: Final = 1.51
#: Seconds after the acknowledgement before which a meter that has not received it does not begin
#: its readout at the old speed (tt, likewise).
_FALL_BACK_SECONDS: Final = 1.0
#: Seconds after the identification until which such a readout has begun.
_READOUT_SECONDS: Final = 2.3
#: Seconds after which a meter that has not begun to answer is taken to send nothing.
_NO_ANSWER: Final = 5.0
#: Characters before the acknowledgement that are more than noise.
_EARLY: Final = 2
#: Seconds for which a meter is observed that may push readouts, and the characters kept of them.
_PUSHED_SECONDS: Final = 5.0
_PUSHED_MAX: Final = 256
_ETX: Final = b"\x03"


class Conversation:
    """Signs on to a meter and selects what it sends, through one opening of the port."""

    def __init__(self, channel: Channel, settings: SignOn, memory: Memory) -> None:
        """Take the channel, the user's settings, and what is known about the meter."""
        self.channel = channel
        self._settings = settings
        self._memory = memory
        self._port = channel.name
        #: The speeds of the last selection: of the sign-on, agreed on, and of the answer.
        self._old_speed = self._agreed = self._data_speed = channel.port.baudrate
        #: Whether an identification has come with another parity.
        self._has_other_parity = False
        #: Whether a readout may have come without the acknowledgement, and has once already.
        self._may_fall_back = False
        self._fell_back = False

    async def sign_on(self) -> SignOnResponse:
        """Sign on at each speed at which the meter may answer, ending a session it may be in.

        Raises MeterSilentError, FixedSpeedError, WrongParityError, ChecksumError,
        UnknownDataError.
        """
        memory = self._memory
        speeds = self._sign_on_speeds()
        for number, kind in zip(range(len(speeds)), cycle(CheckKind), strict=False):
            speed = speeds[number]
            answer = await request_identification(self.channel, self._settings, speed)
            if isinstance(answer, SignOnResponse):
                memory.sign_on_speed = speed
                memory.identification = answer.identification
                return answer
            self._has_other_parity |= has_other_parity(answer.raw)
            if answer.is_readout and memory.identification is not None:
                return SignOnResponse(
                    memory.identification, answer.raw, has_more=True, is_readout=True
                )
            if answer.is_readout:
                await self._discard_readout(answer.raw)
            if answer.raw and is_text(answer.raw, DAMAGED_SHARE):
                # Only damaged: the meter is at this speed, and waits for another request.
                speeds[number + 1 :] = [speed] * len(speeds[number + 1 :])
            elif not self._settings.wake_up:
                session = (memory.speed,) if memory.identification else SPEEDS
                await end_session(
                    self.channel, memory.check.kind or kind, *session, memory.sign_on_speed
                )
        raise self._sign_on_error()

    def _sign_on_speeds(self) -> list[int]:
        """Return the speed of each attempt. Two requests in a row may get lost."""
        first = self._memory.sign_on_speed
        if self._settings.wake_up or not self.channel.port.has_speed:
            return [first] * 2
        # The meter may wait at another speed by now, or be another one.
        others = sorted({self.channel.port.line.baudrate, OTHER_SPEED} - {first})
        if self._memory.identification is not None:
            return [first, first, first, *others]
        return [first, first, *others, first]

    async def select(self, response: SignOnResponse, option: Option) -> bytes:
        """Select what an identified meter sends; return the first characters of its answer.

        They are empty with HDLC, and where they are in ``response.raw`` already. Raises
        NoReadoutError where no answer comes, WrongSpeedError where it is no text.
        """
        memory, channel, settings = self._memory, self.channel, self._settings
        identification = response.identification
        if response.is_readout:
            if option is Option.READOUT:
                return b""
            await self._discard_readout(response.raw)
            self._old_speed = self._agreed = channel.port.baudrate
            raise WrongSpeedError
        old = channel.port.baudrate
        agreed = target = agreed_speed(channel, identification, settings, option)
        if not is_acknowledged(identification, settings, option):
            # In mode C the meter is not asked to change its speed.
            await channel.set_speed(old if identification.is_negotiated else agreed)
            return b"" if response.has_more else await self._receive_sample(_NO_ANSWER)
        memory.speed = agreed
        if option is not Option.HDLC and agreed != old:
            target = memory.data_speed or agreed
        self._old_speed, self._agreed, self._data_speed = old, agreed, target
        self._may_fall_back = False
        identified = channel.last_received
        if early := await self._receive_early(identified + identification.reaction_time):
            # The meter does not wait for an acknowledgement.
            response.has_more = True
            if option is Option.READOUT:
                return early
        if data := await self._acknowledge(identification, option):
            return data
        if option is Option.HDLC:
            return b""
        return await self._acknowledge_again(identification, option, identified)

    async def _acknowledge(self, identification: Identification, option: Option) -> bytes:
        """Acknowledge and change the speed; return how the answer begins, nothing without one."""
        channel = self.channel
        await self._send_acknowledgement(identification, option)
        end = channel.now() + _ANSWER_SECONDS
        if option is Option.HDLC:
            return b""
        is_readout = option is Option.READOUT
        try:
            return await self._receive_sample(end - channel.now(), can_fall_back=is_readout)
        except WrongSpeedError as err:
            if err.goes_on or self._data_speed != self._agreed or not is_readout:
                raise
        return b""

    async def _send_acknowledgement(self, identification: Identification, option: Option) -> None:
        await send_acknowledgement(
            self.channel,
            identification,
            self._settings,
            option,
            agreed=self._agreed,
            data_speed=self._data_speed,
        )

    async def _receive_early(self, end: float) -> bytes:
        """Return what comes before an acknowledgement may be sent, if data begin with it."""
        data = b""
        while (left := end - self.channel.now()) > 0:
            data += await self.channel.receive(left)
        text = without_parity(data).strip()
        return data if len(text) >= _EARLY and is_text(data, SAMPLE_SHARE) else b""

    async def _acknowledge_again(
        self, identification: Identification, option: Option, identified: float
    ) -> bytes:
        """Acknowledge once more; return how the answer begins, also at the old speed."""
        channel = self.channel
        self._may_fall_back = True
        await channel.set_speed(self._old_speed)
        # A meter that has not received the first acknowledgement begins its readout by now.
        left = identified + _READOUT_SECONDS - channel.now()
        if left > 0 and (data := await self._receive_sample(left)):
            return data
        await self._send_acknowledgement(identification, option)
        if data := await self._receive_sample(_ANSWER_SECONDS):
            return data
        await channel.set_speed(self._old_speed)
        if data := await self._receive_sample(_NO_ANSWER):
            return data
        # At the wrong speed, a short answer may look like none.
        self._memory.data_speed = 0
        message = f"the meter at {self._port} answers, but sends nothing"
        raise NoReadoutError(message, port=self._port)

    async def _receive_sample(self, seconds: float, *, can_fall_back: bool = False) -> bytes:
        """Return the first characters of an answer; empty if none begins within ``seconds``.

        Raises WrongSpeedError where they are no text.
        """
        channel = self.channel
        start = channel.now()
        data = await channel.receive(seconds + channel.port.wire_time(1))
        if not data:
            return b""
        is_late = channel.last_received - start > _FALL_BACK_SECONDS
        self._may_fall_back = self._may_fall_back or (can_fall_back and is_late)
        return await complete_sample(channel, data)

    async def check_not_pushed(self, response: SignOnResponse) -> None:
        """Raise MeterPushesError where the meter sends readouts without being polled.

        To be called after a readout that came without an acknowledgement. That alone is no proof:
        some meters send their readout at once although they propose a speed.
        """
        memory = self._memory
        if memory.sends_at_once or response.is_readout:
            return
        if not response.identification.is_negotiated:
            return
        end = self.channel.now() + _PUSHED_SECONDS
        received = b""
        while (left := end - self.channel.now()) > 0:
            received = (received + await self.channel.receive(left))[-_PUSHED_MAX:]
            text = without_parity(received)
            if b"(" in text and IDENTIFICATION_LINE.search(text):
                message = f"the meter at {self._port} sends by itself"
                raise MeterPushesError(message, port=self._port)
        memory.sends_at_once = True

    async def _discard_readout(self, begin: bytes) -> None:
        if _ETX not in without_parity(begin):
            await discard_readout(self.channel, SAMPLE_SECONDS, _ETX)

    async def adapt_speed(self, error: ChecksumError | WrongSpeedError) -> None:
        """Remember the speed at which the next answer is to be expected after this error."""
        memory, channel = self._memory, self.channel
        if not isinstance(error, WrongSpeedError):
            # Garbage may pass for damaged text. What most meters do is tried again next.
            memory.data_speed = 0
            return
        if self._agreed == self._old_speed:
            return
        found = await find_speed(channel, self._agreed, self._old_speed)
        if found is None:
            # The answer ended too early: another meter keeps the speed of the sign-on, or this one
            # has changed it this time.
            found = self._agreed if self._data_speed != self._agreed else self._old_speed
        await discard_readout(channel, SAMPLE_SECONDS, _ETX)
        if self._may_fall_back and found == self._old_speed and not self._fell_back:
            # The meter has not received the acknowledgement; nothing follows about its speed.
            self._fell_back = True
            return
        memory.data_speed = 0 if found == self._agreed else found

    def _sign_on_error(self) -> MeterError:
        """Return why there was no identification."""
        recent = self.channel.recent
        if not recent:
            message = f"nothing comes from {self._port}"
            if self.channel.port.has_speed or self._memory.identification:
                return MeterSilentError(message, port=self._port)
            message += ", whose speed is fixed: meters that begin at 300 baud need rfc2217://"
            return FixedSpeedError(message, port=self._port)
        if self._has_other_parity:
            message = f"what comes from {self._port} has another parity"
            return WrongParityError(message, port=self._port)
        guess = looks_like(recent)
        if guess is Look.IEC62056:
            return ChecksumError(f"answers come damaged from {self._port}", port=self._port)
        message = f"no IEC 62056-21 in what comes from {self._port}"
        if guess is not None:
            message += f", which looks like {guess}"
        return UnknownDataError(message, port=self._port, looks_like=guess or UNKNOWN)
