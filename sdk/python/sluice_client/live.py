"""Orders over a WebSocket. docs/websocket.md has the protocol.

1. No more orders are outstanding than the gateway's latest credit allows.
2. When the socket ends, every order without an answer is in doubt, and is sent again through the
   next socket. Followed orders continue behind their last event.
3. A socket that leaves an order or a ping unanswered is given up.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections import OrderedDict
from typing import Any, AsyncIterator, Awaitable, Callable, Dict, Mapping, Optional, Set

import aiohttp

from .events import FOLLOW_DEADLINE_S, OrderEvent
from .gateways import Gateways
from .order import Links, Order
from .problems import Problem, Refused, Unfinished, read_problem
from .settle import Answer, checked, wait_of
from .states import is_finished

PING_EVERY_S = 20.0
RENEW_BEFORE_S = 30.0
# A gateway follows this many orders of a user, and takes this many in a frame.
MAX_FOLLOWED = 200
MAX_FOLLOWED_A_FRAME = 100
# Follows are gathered: a socket may send 50 such frames a second.
GATHER_S = 0.05
# An outcome usually comes within this time by itself.
LOOSE_S = 1.0
# Outcomes of orders that nobody has asked about yet.
MAX_RECENT = 4_096
MAX_QUEUED = 1_000
NOT_SENT = Problem("unavailable", 503, "Not connected", retry_after_s=None)
FINAL_BUT_OPEN = ("cancelled", "payment_failed")


class _Watch:
    def __init__(self, id: str, user: Optional[str], last: int, loose: bool) -> None:
        self.id, self.user, self.last = id, user, last
        # Pushed outcomes will do: the order is followed only if none comes.
        self.loose = loose
        self.queue: "asyncio.Queue[OrderEvent]" = asyncio.Queue(MAX_QUEUED)

    def add(self, event: OrderEvent) -> None:
        if self.queue.full():
            return  # followed again from the last event, when the reader has caught up
        if event.n is not None:
            self.last = event.n
        self.queue.put_nowait(event)


class Live:
    def __init__(
        self, gateways: Gateways, deadline_s: float, place: Callable[..., Awaitable[Order]]
    ) -> None:
        self._gateways = gateways
        self._deadline_s = deadline_s
        self._place = place
        self._links = Links(gateways, self, deadline_s)
        self._socket: Optional[aiohttp.ClientWebSocketResponse] = None
        self._task: Optional["asyncio.Task[None]"] = None
        self._changed = asyncio.Condition()
        self._outstanding: Dict[str, "asyncio.Future[Answer]"] = {}
        self._credit = 0
        self._refs = 0
        self._refusal: Optional[Problem] = None
        self._watches: Dict[str, Set[_Watch]] = {}
        self._wanted: Set[str] = set()
        self._followed: Set[str] = set()
        self._recent: "OrderedDict[str, list]" = OrderedDict()
        self._stocks: Dict[str, Callable[[Mapping[str, int]], None]] = {}
        self._units: Dict[str, Dict[str, int]] = {}
        self._closed = False

    async def __aenter__(self) -> "Live":
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()

    async def open(self, deadline_s: float) -> None:
        self._task = asyncio.ensure_future(self._run())
        try:
            await asyncio.wait_for(self._ready(), deadline_s)
        except asyncio.TimeoutError:
            await self.close()
            raise Unfinished("WebSocket", "none") from None
        if self._refusal is not None:
            await self.close()
            raise Refused(self._refusal)

    async def close(self) -> None:
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._notify()

    async def place(
        self, order: Mapping[str, Any], deadline_s: Optional[float] = None, again: bool = False
    ) -> Order:
        """As Sluice.place: exactly once, also if the socket or its gateway ends meanwhile."""
        return await self._place(self._carry, self._links, order, deadline_s, again)

    def order(self, id: str, user: Optional[str] = None) -> Order:
        """An order placed earlier; its events come over this socket."""
        return Order(self._links, id, user)

    async def watch_stock(self, sale_id: str, tell: Callable[[Mapping[str, int]], None]) -> None:
        """Calls with the units of a sale's items, at first and with each change."""
        self._stocks[sale_id] = tell
        await self._send({"type": "subscribe", "saleId": sale_id})

    async def events(
        self, id: str, user: Optional[str], after: int = -1, deadline_s: Optional[float] = None
    ) -> AsyncIterator[OrderEvent]:
        async for event in self._follow(_Watch(id, user, after, False), deadline_s):
            yield event
            if _ends(event.event):
                return

    async def news(
        self, id: str, user: Optional[str], after: int = -1, deadline_s: Optional[float] = None
    ) -> AsyncIterator[OrderEvent]:
        """Events, and outcomes that the gateway pushes."""
        watch = _Watch(id, user, after, True)
        for state in self._recent.get(id, []):
            watch.add(OrderEvent(state))
        async for event in self._follow(watch, deadline_s):
            yield event

    async def _follow(
        self, watch: _Watch, deadline_s: Optional[float]
    ) -> AsyncIterator[OrderEvent]:
        until = time.monotonic() + checked(deadline_s, FOLLOW_DEADLINE_S)
        self._watches.setdefault(watch.id, set()).add(watch)
        loop = asyncio.get_running_loop()
        timer = loop.call_later(LOOSE_S if watch.loose else 0, self._want, watch.id)
        try:
            while (left := until - time.monotonic()) > 0 and not self._closed:
                try:
                    yield await asyncio.wait_for(watch.queue.get(), min(left, PING_EVERY_S))
                except asyncio.TimeoutError:
                    # Also after its queue was full. What came already is not told twice.
                    self._followed.discard(watch.id)
                    self._want(watch.id)
            reason = "closed" if self._closed else "time is up"
            raise Unfinished(f"events of order {watch.id}", "unknown", None, watch.id, reason)
        finally:
            timer.cancel()
            self._unwatch(watch)

    async def _carry(self, draft: Mapping[str, Any]) -> Answer:
        await self._ready()
        if self._refusal is not None:
            return Answer("refused", problem=self._refusal)
        socket = self._socket
        async with self._changed:
            await self._changed.wait_for(
                lambda: len(self._outstanding) < self._credit or self._socket is not socket
            )
        if socket is None or self._socket is not socket:
            return Answer("later", problem=NOT_SENT)
        self._refs += 1
        ref = str(self._refs)
        answer: "asyncio.Future[Answer]" = asyncio.get_running_loop().create_future()
        self._outstanding[ref] = answer
        await self._send({"type": "order", "ref": ref, "order": dict(draft)})
        try:
            return await asyncio.wait_for(asyncio.shield(answer), self._gateways.attempt_s)
        except asyncio.TimeoutError:
            await socket.close()
            return Answer("unknown")

    async def _ready(self) -> None:
        async with self._changed:
            await self._changed.wait_for(
                lambda: self._socket is not None or self._refusal is not None or self._closed
            )
        if self._closed and self._refusal is None:
            raise Unfinished("WebSocket", "none", reason="closed")

    async def _run(self) -> None:
        """One socket after another, until it is closed or its token is refused for good."""
        failures = 0
        refused = False
        while True:
            url = self._gateways.url
            problem: Optional[Problem] = None
            try:
                token = await asyncio.wait_for(self._gateways.bearer(), self._gateways.attempt_s)
                began, problem = await self._session(url, token)
                failures = 0 if began else failures
                refused = refused and not began
            except (aiohttp.ClientError, asyncio.TimeoutError, OSError):
                pass
            finally:
                await self._lost()
            if problem is None:
                self._gateways.failed(url)
            elif refused or not self._gateways.renew_token():
                self._refusal = problem
                await self._notify()
                return
            else:
                refused = True
            await asyncio.sleep(wait_of(failures))
            failures += 1

    async def _session(self, url: str, token: str) -> "tuple[bool, Optional[Problem]]":
        """Serves one socket until it ends; whether it was ready, and the token's problem."""
        began = False
        problem: Optional[Problem] = None
        connecting = self._gateways.session.ws_connect(
            "ws" + url[len("http"):] + "/v1/ws", max_msg_size=4 * 1024 * 1024
        )
        socket = await asyncio.wait_for(connecting, self._gateways.attempt_s)
        upkeep: Optional["asyncio.Task[None]"] = None
        try:
            await socket.send_str(json.dumps({"type": "auth", "token": token}))
            while True:
                silence_s = 2 * PING_EVERY_S if began else self._gateways.attempt_s
                message = await socket.receive(silence_s)
                if message.type != aiohttp.WSMsgType.TEXT:
                    return began, problem
                frame = json.loads(message.data)
                if frame.get("type") == "ready" and not began:
                    began = True
                    self._socket = socket
                    upkeep = asyncio.ensure_future(self._upkeep(socket, token))
                    await self._begin(frame)
                elif frame.get("type") == "error" and frame["problem"]["status"] == 401:
                    problem = read_problem(frame["problem"], 401)
                else:
                    await self._receive(frame)
        finally:
            if upkeep is not None:
                upkeep.cancel()
            await socket.close()

    async def _begin(self, frame: Mapping[str, Any]) -> None:
        self._followed.clear()
        self._wanted.clear()
        self._credit = frame["credit"]
        for id in self._watches:
            self._want(id)
        for sale_id in self._stocks:
            self._units[sale_id] = {}
            await self._send({"type": "subscribe", "saleId": sale_id})
        await self._notify()

    async def _receive(self, frame: Mapping[str, Any]) -> None:
        kind = frame.get("type")
        if "credit" in frame:
            self._credit = frame["credit"]
        if kind == "acks":
            for ref, _, *region in frame["acks"]:
                value = {"region": region[0]} if region else {}
                if "estimate" in frame:
                    value["estimate"] = frame["estimate"]
                self._answer(ref, Answer("done", value))
        elif kind == "nacks":
            for ref, _, problem in frame["nacks"]:
                read = _nack(problem)
                self._answer(ref, Answer(read.meaning, problem=read))
        elif kind == "outcomes":
            for id, state, *mark in frame["outcomes"]:
                if mark != ["not_cancelled"]:
                    self._outcome(id, state)
        elif kind == "events":
            for id, n, event, at in frame["events"]:
                for watch in self._watches.get(id, ()):
                    if n > watch.last:
                        watch.add(OrderEvent(event, n, at))
        elif kind == "stock" and frame["saleId"] in self._stocks:
            units = self._units.setdefault(frame["saleId"], {})
            units.update(frame["items"])
            self._stocks[frame["saleId"]](units)
        elif kind == "lagging":
            self._followed.clear()
            for id in self._watches:
                self._want(id)
        elif kind == "error" and "id" in frame:
            # Not known yet: the gateway stopped looking, so it is asked again.
            self._followed.discard(frame["id"])
            asyncio.get_running_loop().call_later(LOOSE_S, self._want, frame["id"])
        await self._notify()

    def _answer(self, ref: str, answer: Answer) -> None:
        future = self._outstanding.pop(ref, None)
        if future is not None and not future.done():
            future.set_result(answer)

    def _outcome(self, id: str, state: str) -> None:
        self._recent.setdefault(id, []).append(state)
        self._recent.move_to_end(id)
        if len(self._recent) > MAX_RECENT:
            self._recent.popitem(last=False)
        for watch in self._watches.get(id, ()):
            if watch.loose:
                watch.add(OrderEvent(state))

    async def _upkeep(self, socket: aiohttp.ClientWebSocketResponse, token: str) -> None:
        """Pings, and renews the token before it ends."""
        ends_s = _expiry_s(token)
        while True:
            await asyncio.sleep(PING_EVERY_S)
            await socket.send_str('{"type":"ping"}')
            left_s = None if ends_s is None else ends_s - self._gateways.clock.now_ms() / 1000
            if left_s is None or left_s > RENEW_BEFORE_S or not self._gateways.renew_token():
                continue
            token = await self._gateways.bearer()
            ends_s = _expiry_s(token)
            await socket.send_str(json.dumps({"type": "auth", "token": token}))

    async def _lost(self) -> None:
        self._socket = None
        for ref in list(self._outstanding):
            self._answer(ref, Answer("unknown"))
        await self._notify()

    async def _notify(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    async def _send(self, frame: Mapping[str, Any]) -> None:
        socket = self._socket
        if socket is None:
            return
        try:
            await socket.send_str(json.dumps(frame))
        except (aiohttp.ClientError, ConnectionError, RuntimeError):
            await socket.close()  # every order without an answer is in doubt (2)

    def _want(self, id: str) -> None:
        if id not in self._watches or id in self._followed:
            return
        if not self._wanted:
            loop = asyncio.get_running_loop()
            loop.call_later(GATHER_S, lambda: asyncio.ensure_future(self._flush()))
        self._wanted.add(id)

    async def _flush(self) -> None:
        ids = [id for id in self._wanted if id in self._watches]
        room = min(MAX_FOLLOWED - len(self._followed), MAX_FOLLOWED_A_FRAME)
        taken, rest = ids[: max(room, 0)], ids[max(room, 0):]
        self._wanted.clear()
        self._followed.update(taken)
        if taken:
            orders = [self._entry(id) for id in taken]
            await self._send({"type": "follow", "orders": orders})
        for id in rest:
            self._want(id)

    def _entry(self, id: str) -> Dict[str, Any]:
        watches = self._watches[id]
        user = next(iter(watches)).user
        after = min(watch.last for watch in watches)
        return {"id": id, "after": after, **({} if user is None else {"user": user})}

    def _unwatch(self, watch: _Watch) -> None:
        watches = self._watches.get(watch.id, set())
        watches.discard(watch)
        if watches:
            return
        self._watches.pop(watch.id, None)
        if watch.id not in self._followed:
            return
        self._followed.discard(watch.id)
        order = {"id": watch.id, **({} if watch.user is None else {"user": watch.user})}
        frame = {"type": "unfollow", "orders": [order]}
        asyncio.ensure_future(self._send(frame))


def _ends(event: str) -> bool:
    """A cancelled order may still be refunded, and a failed payment retried."""
    return is_finished(event) and event not in FINAL_BUT_OPEN


def _nack(problem: Mapping[str, Any]) -> Problem:
    """Refusals of orders say when to return in their estimate."""
    estimate = problem.get("estimate") or {}
    brief = problem.get("code") in ("shed", "rate_limited")
    seconds = estimate.get("seconds", 1 if brief else None)
    return read_problem(dict(problem), problem.get("status", 0), seconds)


def _expiry_s(token: str) -> Optional[float]:
    """When a JWT ends; None for any other token."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        return float(claims["exp"])
    except (IndexError, KeyError, ValueError, TypeError):
        return None
