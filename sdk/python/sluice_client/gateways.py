"""HTTP calls to one of several gateways, with the caller's token.

A gateway that does not answer is followed by the next; the same one is kept while it answers.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import time
from typing import Any, Awaitable, Callable, Dict, Mapping, Optional, Sequence, Union
from urllib.parse import urlsplit

import aiohttp

from .ids import ServerClock
from .problems import read_problem
from .settle import Answer

# A token, or what provides one: called again when the gateway no longer accepts the last.
Token = Union[str, Callable[[], Union[str, Awaitable[str]]]]
Read = Callable[[Any], Any]

# Answers are far smaller; more is not read.
MAX_BODY_BYTES = 8 * 1024 * 1024


class Gateways:
    def __init__(
        self,
        gateways: Union[str, Sequence[str]],
        token: Token,
        clock: ServerClock,
        attempt_s: float,
    ) -> None:
        urls = [gateways] if isinstance(gateways, str) else list(gateways)
        if not urls:
            raise ValueError("gateways: at least one address")
        self._urls = [_checked(url, i) for i, url in enumerate(urls)]
        self._at = 0
        self._token = token
        self._current: Optional[str] = None
        self._session: Optional[aiohttp.ClientSession] = None
        self.clock = clock
        self.attempt_s = attempt_s

    @property
    def url(self) -> str:
        return self._urls[self._at]

    def failed(self, url: str) -> None:
        """The gateway at this address did not answer."""
        if url == self.url:
            self._at = (self._at + 1) % len(self._urls)

    @property
    def session(self) -> aiohttp.ClientSession:
        """Cookies are not kept. Made on first use, since it belongs to a running loop."""
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def bearer(self) -> str:
        if self._current is None:
            given = self._token() if callable(self._token) else self._token
            self._current = await given if inspect.isawaitable(given) else given
        return self._current

    def renew_token(self) -> bool:
        """The gateway does not accept the token. False if there is no other."""
        self._current = None
        return callable(self._token)

    async def attempt(
        self,
        method: str,
        path: str,
        read: Read,
        body: Any = None,
        query: Optional[Mapping[str, Optional[str]]] = None,
        attempt_s: Optional[float] = None,
    ) -> Answer:
        """One attempt. `read` makes a value from the body of a success; None: it is none."""
        url = self.url
        call = (method, path, read, body, query, attempt_s or self.attempt_s)
        answer = await self._once(url, *call)
        expired = answer.kind == "refused" and answer.problem.status == 401
        if expired and self.renew_token():
            answer = await self._once(url, *call)
        away = answer.problem is not None and answer.problem.code == "unavailable"
        if answer.kind == "unknown" or away:
            self.failed(url)
        return answer

    async def _once(
        self,
        url: str,
        method: str,
        path: str,
        read: Read,
        body: Any,
        query: Optional[Mapping[str, Optional[str]]],
        attempt_s: float,
    ) -> Answer:
        bearer = await asyncio.wait_for(self.bearer(), attempt_s)
        try:
            return await asyncio.wait_for(
                self._send(url, method, path, read, body, query, bearer), attempt_s
            )
        except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
            return Answer("unknown")

    async def _send(
        self,
        url: str,
        method: str,
        path: str,
        read: Read,
        body: Any,
        query: Optional[Mapping[str, Optional[str]]],
        bearer: str,
    ) -> Answer:
        params = {name: value for name, value in (query or {}).items() if value is not None}
        headers = headers_of(bearer)
        data = None
        if body is not None:
            headers["content-type"] = "application/json"
            data = json.dumps(body)
        sent_at_s = time.monotonic()
        # A redirect could carry the token elsewhere.
        async with self.session.request(
            method, url + path, data=data, params=params, headers=headers, allow_redirects=False
        ) as response:
            self.clock.learn(response.headers.get("date"), sent_at_s)
            value = await json_of(response)
            if 200 <= response.status < 300:
                result = read(value)
                return Answer("done", result) if result is not None else Answer("unknown")
            problem = read_problem(value, response.status, retry_after_of(response))
            return Answer(problem.meaning, problem=problem)


def headers_of(bearer: str) -> Dict[str, str]:
    return {"authorization": f"Bearer {bearer}"}


async def json_of(response: aiohttp.ClientResponse) -> Any:
    text = b""
    async for chunk in response.content.iter_chunked(65_536):
        text += chunk
        if len(text) > MAX_BODY_BYTES:
            raise aiohttp.ClientPayloadError(f"an answer of over {MAX_BODY_BYTES} bytes")
    try:
        return json.loads(text)
    except ValueError:
        return None  # a proxy's page: the status says what it means


def retry_after_of(response: aiohttp.ClientResponse) -> Optional[float]:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdigit() and len(text) <= 6 else None


def _checked(text: str, i: int) -> str:
    url = urlsplit(text)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError(f"gateways[{i}]: not an http:// or https:// address: {text}")
    if url.query or url.fragment or url.username:
        raise ValueError(f"gateways[{i}]: without a user, a query or a fragment")
    return text.rstrip("/")
