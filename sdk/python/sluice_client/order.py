"""An order that was placed, and what can be asked of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, AsyncIterator, Callable, Dict, Mapping, Optional

from .events import OrderEvent
from .gateways import Gateways
from .problems import Unfinished
from .settle import Answer, settle
from .states import is_decided, is_finished

OUTCOME_DEADLINE_S = 60.0


@dataclass(frozen=True)
class Links:
    gateways: Gateways
    # Where events come from: HTTP, or a WebSocket.
    source: Any
    deadline_s: float


@dataclass(frozen=True)
class Order:
    links: Links = field(repr=False)
    id: str
    # Services only: whose order it is.
    user: Optional[str] = None
    seq: Optional[int] = None
    # `sold_out`: the gateway did not accept it.
    status: str = "accepted"
    # `estimate`, and `region` if another region than the gateway's may hold the order.
    accepted: Mapping[str, Any] = field(default_factory=dict)

    def events(
        self, after: int = -1, deadline_s: Optional[float] = None
    ) -> AsyncIterator[OrderEvent]:
        """What happens to the order: each event once, in order, also across reconnects."""
        if self.status == "sold_out":
            return _none()
        return self.links.source.events(self.id, self.user, after, deadline_s)

    async def outcome(self, after: int = -1, deadline_s: float = OUTCOME_DEADLINE_S) -> OrderEvent:
        """The decision: `reserved` (or already `paid`), `sold_out` …"""
        return await self._first(is_decided, after, deadline_s)

    async def finished(self, after: int = -1, deadline_s: float = OUTCOME_DEADLINE_S) -> OrderEvent:
        """The end: `dispatched`, `payment_failed` …"""
        return await self._first(is_finished, after, deadline_s)

    async def get(self, deadline_s: Optional[float] = None) -> Dict[str, Any]:
        """The order as the ledger has it now."""

        async def attempt(_: str) -> Answer:
            return await look_at(self.links.gateways, self.id, self.user)

        deadline_s = self.links.deadline_s if deadline_s is None else deadline_s
        return await settle(f"order {self.id}", attempt, deadline_s, self.id)

    async def cancel(self, deadline_s: Optional[float] = None) -> str:
        """`cancelled`, `cancel_pending` or `too_late`. Safe to repeat."""

        async def attempt(_: str) -> Answer:
            query = {"user": self.user}
            path = f"/v1/orders/{self.id}"
            answer = await self.links.gateways.attempt("DELETE", path, _status, query=query)
            if answer.kind == "refused" and answer.problem.code == "too_late":
                return Answer("done", "too_late")
            return answer

        deadline_s = self.links.deadline_s if deadline_s is None else deadline_s
        return await settle(f"cancel of order {self.id}", attempt, deadline_s, self.id)

    async def _first(
        self, wanted: Callable[[str], bool], after: int, deadline_s: float
    ) -> OrderEvent:
        if self.status == "sold_out":
            return OrderEvent("sold_out")
        news = self.links.source.news(self.id, self.user, after, deadline_s)
        try:
            async for event in news:
                if wanted(event.event):
                    return event
        finally:
            await news.aclose()
        raise Unfinished(f"order {self.id}: no such state behind event {after}", "unknown",
                         None, self.id, "nothing more will come")


async def look_at(gateways: Gateways, id: str, user: Optional[str]) -> Answer:
    def read(body: Any) -> Any:
        return body if isinstance(body, dict) and "status" in body else None

    return await gateways.attempt("GET", f"/v1/orders/{id}", read, query={"user": user})


def _status(body: Any) -> Optional[str]:
    status = body.get("status") if isinstance(body, dict) else None
    return status if status in ("cancelled", "cancel_pending") else None


async def _none() -> AsyncIterator[OrderEvent]:
    return
    yield  # makes it a generator
