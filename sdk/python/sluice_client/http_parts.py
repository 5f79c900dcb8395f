"""Parts over HTTP: docs/fulfilment.md. The token's subject names the service.

1. A claim without an answer is sent again under its name, which gives the same parts.
2. A part is reported under the claim that it came with. If its lease has ended meanwhile, the
   report has no effect, and the part comes again.
3. A part that was given up has its report: whether its work then returns or raises changes nothing.
"""

from __future__ import annotations

import time
from typing import Any, Dict, List, Optional, Set

from .client import Sluice
from .ids import uuid_v7
from .problems import Refused
from .service import Part, part_key
from .settle import DEADLINE_S, settle

# More than the 10 minutes of work that Service allows.
LEASE_S = 900
MOST_PARTS = 100
MOST_WAIT_S = 30
# For the answer to a claim, after its wait.
ANSWER_S = 15.0


class HttpParts:
    """`lease_s`: how long a part stays with this process without a report."""

    def __init__(self, sluice: Sluice, lease_s: int = LEASE_S) -> None:
        if not 1 <= lease_s <= 3_600:
            raise ValueError("lease_s must be from 1 to 3600")
        self._gateways = sluice.gateways
        self._lease_s = lease_s
        # A claim whose answer did not arrive.
        self._open: Optional[str] = None
        # The claim of each part that is not reported.
        self._claims: Dict[str, str] = {}
        # Parts that were given up, while their work has not ended (3).
        self._given_up: Set[str] = set()

    async def claim(self, most: int, wait_s: float) -> List[Part]:
        self._open = self._open or uuid_v7(int(time.time() * 1000))  # 1
        claim = self._open
        wait = min(MOST_WAIT_S, max(0, int(wait_s)))
        body = {"claim": claim, "max": min(most, MOST_PARTS), "wait": wait, "lease": self._lease_s}
        attempt_s = wait + ANSWER_S
        try:
            parts = await self._post("claim of parts", "claim", body, _parts_in, attempt_s)
        except Refused:
            self._open = None
            raise
        self._open = None
        for part in parts:
            self._claims[part_key(part)] = claim
            self._given_up.discard(part_key(part))  # an operator has sent it again
        return parts

    async def done(self, part: Part) -> None:
        if not self._was_given_up(part):
            await self._report(part, {"outcome": "done"})

    async def later(self, part: Part) -> None:
        if not self._was_given_up(part):
            await self._report(part, {"outcome": "later"})

    async def give_up(self, part: Part, reason: str) -> None:
        """Leaves the part to an operator: it cannot be done. Call it in `work`, then return."""
        await self._report(part, {"outcome": "failed", "reason": reason})
        self._given_up.add(part_key(part))

    def failed(self, part: Part) -> None:
        """Its lease ends, and another claim gets it."""
        self._claims.pop(part_key(part), None)

    async def close(self) -> None:
        self._claims.clear()
        self._given_up.clear()

    def _was_given_up(self, part: Part) -> bool:
        key = part_key(part)
        given_up = key in self._given_up
        self._given_up.discard(key)
        return given_up

    async def _report(self, part: Part, report: Dict[str, str]) -> None:
        key = part_key(part)
        if key not in self._claims:
            raise ValueError(f"part {key} is not claimed here")
        body = {"claim": self._claims[key], "key": key, **report}
        await self._post(f"report of part {key}", "done", body, lambda value: True)  # 2
        self._claims.pop(key, None)

    async def _post(
        self,
        what: str,
        path: str,
        body: Dict[str, Any],
        read: Any,
        attempt_s: Optional[float] = None,
    ) -> Any:
        async def attempt(effect: str) -> Any:
            where = f"/v1/parts/{path}"
            return await self._gateways.attempt(
                "POST", where, read, body=body, attempt_s=attempt_s
            )

        deadline_s = DEADLINE_S if attempt_s is None else 2 * attempt_s
        return await settle(what, attempt, deadline_s)


def _parts_in(body: Any) -> Optional[List[Part]]:
    parts = body.get("parts") if isinstance(body, dict) else None
    return parts if isinstance(parts, list) else None
