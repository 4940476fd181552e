"""A client of Home Assistant: login, config and options flows, websocket commands."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

_RETRY_SECONDS: Final = 0.5
#: Home Assistant loads what a request needs, which takes long on slow machines.
_SECONDS: Final = 120
#: A load profile is read at the speed of the line.
_ACTION_SECONDS: Final = 600


class ApiError(Exception):
    """Home Assistant has refused a request."""


class Api:
    """A session of the demo's only user, which ends with its asynchronous context."""

    def __init__(self, url: str) -> None:
        """Create a session for the address of the web pages, without a connection."""
        self.url = url
        self._session: aiohttp.ClientSession
        self._socket: aiohttp.ClientWebSocketResponse
        self._refresh_token = ""
        self._ids = 0
        #: Only one command waits for its result.
        self._turn = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Log in through the trusted network of this machine, and wait for the end of the start."""
        self._session = aiohttp.ClientSession(self.url)
        try:
            await self._log_in()
            # Polling is enough for something that happens once.
            while (await self.call("get_config"))["state"] != "RUNNING":  # noqa: ASYNC110
                await asyncio.sleep(_RETRY_SECONDS)
        except BaseException:
            await self._session.close()
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Log out."""
        # If Home Assistant has already stopped, the token is invalid.
        with suppress(aiohttp.ClientError, TimeoutError):
            await self._socket.close()
            async with self._session.post(
                "/auth/revoke", data={"token": self._refresh_token}, timeout=_brief()
            ):
                pass
        await self._session.close()

    async def _log_in(self) -> None:
        client = f"{self.url}/"
        while True:
            try:
                step = await self._json(
                    "POST",
                    "/auth/login_flow",
                    json={
                        "client_id": client,
                        "handler": ["trusted_networks", None],
                        "redirect_uri": client,
                    },
                )
                break
            except aiohttp.ClientError, TimeoutError:
                await asyncio.sleep(_RETRY_SECONDS)
        tokens = await self._json(
            "POST",
            "/auth/token",
            data={
                "grant_type": "authorization_code",
                "code": step["result"],
                "client_id": client,
            },
        )
        self._refresh_token = tokens["refresh_token"]
        access_token = tokens["access_token"]
        self._session.headers["Authorization"] = f"Bearer {access_token}"
        self._socket = await self._session.ws_connect("/api/websocket", max_msg_size=0)
        await self._receive()
        await self._socket.send_json({"type": "auth", "access_token": access_token})
        answer = await self._receive()
        if answer["type"] != "auth_ok":
            raise ApiError(str(answer))

    async def call(self, command: str, **fields: Any) -> Any:
        """Send a websocket command and return its result; ApiError if it is refused."""
        async with self._turn:
            self._ids += 1
            await self._socket.send_json({"id": self._ids, "type": command, **fields})
            while (answer := await self._receive()).get("id") != self._ids:
                pass
        if not answer["success"]:
            raise ApiError(f"{command}: {answer['error']['message']}")
        return answer["result"]

    async def _receive(self) -> dict[str, Any]:
        message = await self._socket.receive()
        if message.type is not aiohttp.WSMsgType.TEXT:
            raise aiohttp.ClientConnectionError("Home Assistant has closed the connection")
        content: dict[str, Any] = message.json()
        return content

    async def act(self, action: str, data: dict[str, Any]) -> dict[str, Any]:
        """Run an action of OneMeter, and return its response."""
        path = f"/api/services/onemeter/{action}?return_response"
        answer = await self._json("POST", path, _ACTION_SECONDS, json=data)
        response: dict[str, Any] = answer["service_response"]
        return response

    async def begin_flow(self, domain: str) -> dict[str, Any]:
        """Start the config flow of an integration; return the first step."""
        return await self._json("POST", "/api/config/config_entries/flow", json={"handler": domain})

    async def continue_flow(self, flow_id: str, form: dict[str, Any]) -> dict[str, Any]:
        """Submit the form of a step; return the next step that does not show progress."""
        path = f"/api/config/config_entries/flow/{flow_id}"
        step = await self._json("POST", path, json=form)
        while step["type"] in {"progress", "progress_done"}:
            await asyncio.sleep(_RETRY_SECONDS)
            step = await self._json("GET", path)
        return step

    async def begin_options_flow(self, entry_id: str) -> dict[str, Any]:
        """Start the options flow of an entry; return its first step."""
        path = "/api/config/config_entries/options/flow"
        return await self._json("POST", path, json={"handler": entry_id})

    async def continue_options_flow(self, flow_id: str, form: dict[str, Any]) -> dict[str, Any]:
        """Submit the form of the options; return the next step."""
        path = f"/api/config/config_entries/options/flow/{flow_id}"
        return await self._json("POST", path, json=form)

    async def _json(
        self,
        method: str,
        path: str,
        seconds: float = _SECONDS,
        **content: Any,
    ) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=seconds)
        async with self._session.request(method, path, timeout=timeout, **content) as response:
            if not response.ok:
                raise ApiError(f"{path}: {response.status} {await response.text()}")
            result: dict[str, Any] = await response.json()
            return result


def _brief() -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(total=_SECONDS)
