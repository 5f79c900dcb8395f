"""An order's events over HTTP (server-sent events).

A stream that ends is opened again, at another gateway if need be, after the last event received.
"""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any, AsyncIterator, Optional

import aiohttp

from .gateways import Gateways, headers_of, json_of, retry_after_of
from .problems import Problem, Refused, Unfinished, read_problem
from .settle import checked, wait_of

FOLLOW_DEADLINE_S = 900.0
# Gateways write something every 15 s.
SILENCE_S = 40.0


@dataclass(frozen=True)
class OrderEvent:
    """`n` grows within the order; pass it as `after` to continue behind this event.

    An outcome that a WebSocket pushed has neither `n` nor `at`.
    """

    event: str
    n: Optional[int] = None
    at: Optional[str] = None
    detail: Any = None


class HttpEvents:
    def __init__(self, gateways: Gateways) -> None:
        self._gateways = gateways

    async def events(
        self, id: str, user: Optional[str], after: int = -1, deadline_s: Optional[float] = None
    ) -> AsyncIterator[OrderEvent]:
        until = time.monotonic() + checked(deadline_s, FOLLOW_DEADLINE_S)
        last = after
        failures = 0
        problem: Optional[Problem] = None
        while time.monotonic() < until:
            problem = None
            try:
                stream = self._stream(id, user, last, until)
                async for event in stream:
                    if isinstance(event, Problem):
                        problem = event
                    elif event.n is not None and event.n > last:
                        failures = 0
                        last = event.n
                        yield event
            except _Over:
                return
            except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
                self._gateways.failed(self._gateways.url)
            left = until - time.monotonic()
            await asyncio.sleep(max(0.0, min(wait_of(failures, problem), left)))
            failures += 1
        raise Unfinished(f"events of order {id}", "unknown", problem, id)

    # What was pushed comes with the events.
    news = events

    async def _stream(self, id: str, user: Optional[str], last: int, until: float):
        gateways = self._gateways
        headers = headers_of(await asyncio.wait_for(gateways.bearer(), gateways.attempt_s))
        if last >= 0:
            headers["last-event-id"] = str(last)
        params = {} if user is None else {"user": user}
        left = max(0.01, until - time.monotonic())
        timeout = aiohttp.ClientTimeout(total=left, sock_connect=10, sock_read=SILENCE_S)
        async with gateways.session.get(
            f"{gateways.url}/v1/orders/{id}/events",
            headers=headers,
            params=params,
            timeout=timeout,
            allow_redirects=False,
        ) as response:
            if response.status == 204:
                raise _Over()
            if response.status != 200:
                yield self._refusal(
                    read_problem(await json_of(response), response.status, retry_after_of(response))
                )
                return
            fields = {}
            async for raw in response.content:
                line = raw.decode().rstrip("\r\n")
                name, _, value = line.partition(":")
                if line:
                    fields[name] = value.lstrip(" ")
                    continue
                event = _event(fields)
                fields = {}
                if event is not None:
                    yield event

    def _refusal(self, problem: Problem) -> Problem:
        if problem.status == 401 and self._gateways.renew_token():
            return problem
        if problem.meaning == "refused":
            raise Refused(problem)
        if problem.code == "unavailable":
            self._gateways.failed(self._gateways.url)
        return problem


class _Over(Exception):
    """Nothing more will come."""


def _event(fields: dict) -> Optional[OrderEvent]:
    """`accepted` before the first event has no id, and comments have no data."""
    if not fields.get("id", "").isdigit() or "data" not in fields:
        return None
    data = json.loads(fields["data"])
    return OrderEvent(data["event"], int(fields["id"]), data.get("at"), data.get("detail"))
