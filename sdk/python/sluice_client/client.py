"""The client: places orders exactly once, over HTTP or a WebSocket."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Awaitable, Callable, Dict, List, Mapping, Optional, Sequence, Union
from urllib.parse import quote

from .events import HttpEvents
from .gateways import Gateways, Token
from .ids import ServerClock, uuid_v7
from .live import Live
from .order import Links, Order, look_at
from .problems import Refused
from .sequence import NumberedOrders
from .settle import DEADLINE_S, Answer, settle

ATTEMPT_S = 5.0
CLOCK_S = 3.0

# Carries an order to a gateway and brings its answer: a dict with `estimate` and `region`.
Carrier = Callable[[Mapping[str, Any]], Awaitable[Answer]]


class Sluice:
    """`gateways`: nearest first; the next is used when one does not answer.

    `token`: a string, or a function that returns one, also a coroutine function.
    """

    def __init__(
        self,
        gateways: Union[str, Sequence[str]],
        token: Token,
        deadline_s: float = DEADLINE_S,
        attempt_s: float = ATTEMPT_S,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._clock = ServerClock(now)
        self._deadline_s = deadline_s
        self.gateways = Gateways(gateways, token, self._clock, attempt_s)
        self._links = Links(self.gateways, HttpEvents(self.gateways), deadline_s)

    async def __aenter__(self) -> "Sluice":
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()

    async def close(self) -> None:
        await self.gateways.close()

    async def place(
        self, order: Mapping[str, Any], deadline_s: Optional[float] = None, again: bool = False
    ) -> Order:
        """Places an order exactly once: returns when it is durable, or sold out already.

        `order` is the body of POST /v1/orders. One with an `id` (a draft) keeps it. Raises Refused
        if it is wrong, and Unfinished with its effect if time is up.

        `again`: an earlier run of the program may have sent this draft. A refusal is then no proof
        that the order does not exist: it is looked up.
        """
        return await self._place(self._post, self._links, order, deadline_s, again)

    async def draft(self, order: Mapping[str, Any]) -> Dict[str, Any]:
        """Gives an order its id, as data to store.

        Placing the stored draft again after a crash, within ten minutes, makes no second order:
        `place(draft, again=True)`.
        """
        if not self._clock.known:
            # Without an answer the machine's own clock must do.
            try:
                await asyncio.wait_for(self.gateways.attempt("GET", "/healthz", bool), CLOCK_S)
            except asyncio.TimeoutError:
                pass
        return {**order, "id": uuid_v7(self._clock.now_ms())}

    def order(self, id: str, user: Optional[str] = None) -> Order:
        """An order placed earlier."""
        return Order(self._links, id, user)

    def sequence(self, sale_id: str, next: int = 1, user: Optional[str] = None) -> NumberedOrders:
        """Numbered orders, decided in the order of their numbers."""
        return NumberedOrders(self, sale_id, next, user)

    async def skip(
        self,
        sale_id: str,
        seq: int,
        user: Optional[str] = None,
        deadline_s: Optional[float] = None,
    ) -> None:
        """Gives up a number. Safe to repeat."""
        body = {"saleId": sale_id, "seq": seq, **({} if user is None else {"user": user})}

        async def attempt(_: str) -> Answer:
            return await self.gateways.attempt("POST", "/v1/orders/skip", _true, body)

        await settle(f"skip of number {seq}", attempt, self._within(deadline_s))

    async def stock(self, sale_id: str, deadline_s: Optional[float] = None) -> List[Dict[str, Any]]:
        """Units of each item that can be ordered now."""
        return (await self._read(f"{_sale(sale_id)}/stock", "items", deadline_s))["items"]

    async def sale(self, sale_id: str, deadline_s: Optional[float] = None) -> Dict[str, Any]:
        """A sale with its items and their prices."""
        return await self._read(_sale(sale_id), "items", deadline_s)

    async def rates(self, deadline_s: Optional[float] = None) -> Dict[str, Any]:
        """Exchange rates as they are held now: an order's is fixed when it is decided."""
        return await self._read("/v1/rates", "rates", deadline_s)

    async def orders(
        self, deadline_s: Optional[float] = None, **query: Union[str, int]
    ) -> Dict[str, Any]:
        """The user's orders, newest first: `status`, `saleId`, `limit`, `before` choose."""
        return await self._read("/v1/orders", "orders", deadline_s, query)

    def now_ms(self) -> int:
        """The gateway's time, Unix ms, as far as its answers have shown it."""
        return self._clock.now_ms()

    async def live(self, deadline_s: Optional[float] = None) -> Live:
        """Opens a WebSocket: orders go out and outcomes come in at once. Reconnects by itself."""
        live = Live(self.gateways, self._deadline_s, self._place)
        await live.open(self._within(deadline_s))
        return live

    async def _read(
        self,
        path: str,
        member: str,
        deadline_s: Optional[float],
        query: Optional[Mapping[str, Any]] = None,
    ) -> Dict[str, Any]:
        def read(body: Any) -> Any:
            return body if isinstance(body, dict) and member in body else None

        async def attempt(_: str) -> Answer:
            asked = {name: str(value) for name, value in (query or {}).items()}
            return await self.gateways.attempt("GET", path, read, query=asked)

        return await settle(path, attempt, self._within(deadline_s))

    async def _post(self, draft: Mapping[str, Any]) -> Answer:
        return await self.gateways.attempt("POST", "/v1/orders", _accepted, dict(draft))

    async def _place(
        self,
        carrier: Carrier,
        links: Links,
        order: Mapping[str, Any],
        deadline_s: Optional[float],
        again: bool = False,
    ) -> Order:
        if order.get("id") is not None:
            return await self._place_draft(carrier, links, order, deadline_s, again)
        try:
            draft = {**order, "id": uuid_v7(self._clock.now_ms())}
            return await self._place_draft(carrier, links, draft, deadline_s)
        except Refused as refused:
            # No attempt can have had an effect, so another id is safe.
            if refused.code not in ("future_id", "stale_id") or not self._clock.known:
                raise
        draft = {**order, "id": uuid_v7(self._clock.now_ms())}
        return await self._place_draft(carrier, links, draft, deadline_s)

    async def _place_draft(
        self,
        carrier: Carrier,
        links: Links,
        draft: Mapping[str, Any],
        deadline_s: Optional[float],
        again: bool = False,
    ) -> Order:
        id, user = draft["id"], draft.get("user")

        async def attempt(earlier: str) -> Answer:
            answer = await carrier(draft)
            if answer.kind == "done":
                return Answer("done", ("accepted", answer.value))
            # After an attempt in doubt it says nothing about that attempt.
            sold_out = answer.kind == "refused" and answer.problem.code == "sold_out"
            if sold_out and earlier == "none":
                return Answer("done", ("sold_out", {}))
            return answer

        async def look_up(_: str) -> Answer:
            answer = await look_at(self.gateways, id, user)
            return Answer("done", ("accepted", {})) if answer.kind == "done" else answer

        what = f"order {id}"
        earlier = "unknown" if again else "none"
        settled = settle(what, attempt, self._within(deadline_s), id, look_up, earlier)
        status, accepted = await settled
        return Order(links, id, user, draft.get("seq"), status, accepted)

    def _within(self, deadline_s: Optional[float]) -> float:
        return self._deadline_s if deadline_s is None else deadline_s


def _sale(sale_id: str) -> str:
    return f"/v1/sales/{quote(sale_id, safe='')}"


def _true(_: Any) -> bool:
    return True


def _accepted(body: Any) -> Optional[Dict[str, Any]]:
    if not isinstance(body, dict) or body.get("status") != "accepted":
        return None
    return {name: body[name] for name in ("estimate", "region") if name in body}
