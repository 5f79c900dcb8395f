"""A user's numbered orders in one sale: 1, 2, 3 …

They are decided in this order, whichever way they come. A number whose order is refused goes to the
next one, or is given up, so that later ones need not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Dict, Mapping, Optional

from .order import Order
from .problems import Refused

if TYPE_CHECKING:
    from .client import Sluice


class NumberedOrders:
    def __init__(self, sluice: "Sluice", sale_id: str, next: int, user: Optional[str]) -> None:
        if not isinstance(next, int) or next < 1:
            raise ValueError("next must be a whole number from 1")
        self._sluice = sluice
        self._own = {"saleId": sale_id, **({} if user is None else {"user": user})}
        # The number that the next order gets. Store it if numbers continue after a restart.
        self.next = next

    async def draft(self, order: Mapping[str, Any]) -> Dict[str, Any]:
        """Gives an order its id and number, as data to store before it is placed."""
        seq = self.next
        self.next += 1
        return await self._sluice.draft({**order, **self._own, "seq": seq})

    async def place(
        self, order: Mapping[str, Any], deadline_s: Optional[float] = None, again: bool = False
    ) -> Order:
        """Places the next order, or a draft of this sequence."""
        draft = order if "id" in order and "seq" in order else await self.draft(order)
        try:
            return await self._sluice.place(draft, deadline_s, again)
        except Refused:
            await self._give_back(draft["seq"], deadline_s)
            raise

    async def skip(self, seq: int, deadline_s: Optional[float] = None) -> None:
        """Gives up a number for good."""
        self.next = max(self.next, seq + 1)
        await self._sluice.skip(self._own["saleId"], seq, self._own.get("user"), deadline_s)

    async def _give_back(self, seq: int, deadline_s: Optional[float]) -> None:
        if self.next == seq + 1:
            self.next = seq
        else:
            await self.skip(seq, deadline_s)
