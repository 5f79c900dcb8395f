"""A processing service: claims parts of paid orders, works on them, and reports them done.

Where the parts come from is the source's business (HTTP or AMQP).

1. A part is worked on only after this service has claimed it.
2. A part whose work fails is put off; one that could not be reported comes again. So the work may
   be repeated under its key, and must be safe to repeat.
"""

from __future__ import annotations

import asyncio
from typing import Any, Awaitable, Callable, Dict, List, Optional, Protocol, Set

# As in docs/fulfilment.md: user, id, saleId, generation, part, of, shard, region, lines …
Part = Dict[str, Any]
Work = Callable[[Part, str], Awaitable[Any]]
OnError = Callable[[BaseException, Optional[Part]], None]

CLAIM_WAIT_S = 20.0
# After a claim that failed.
REST_S = 1.0


def part_key(part: Part) -> str:
    """Identifies a part for good. The work under one key may be requested twice."""
    return f"{part['user']}/{part['id']}/{part['generation']}/{part['part']}"


class PartSource(Protocol):
    async def claim(self, most: int, wait_s: float) -> List[Part]:
        """Up to `most` parts, claimed for this service; none if none comes in time."""

    async def done(self, part: Part) -> None:
        """Returns when the ledger has the report. Safe to repeat."""

    async def later(self, part: Part) -> None:
        """Puts the part off: it is given out again after a growing wait."""

    def failed(self, part: Part) -> None:
        """The part could not be reported: it will come again."""

    async def close(self) -> None: ...


class Service:
    """`concurrency`: parts worked on at once. `work_s`: longer work counts as failed."""

    def __init__(
        self,
        source: PartSource,
        work: Work,
        concurrency: int = 16,
        work_s: float = 600.0,
        on_error: Optional[OnError] = None,
    ) -> None:
        if not isinstance(concurrency, int) or concurrency < 1:
            raise ValueError("concurrency must be a whole number from 1")
        self._source = source
        self._work = work
        self._concurrency = concurrency
        self._work_s = work_s
        self._on_error = on_error or (lambda error, part: None)
        self._under_way: Set["asyncio.Task[None]"] = set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Serves until `stopping` is set, then finishes what is under way and closes the source."""
        stop = asyncio.ensure_future(stopping.wait())
        try:
            while not stopping.is_set():
                room = self._concurrency - len(self._under_way)
                if room == 0:
                    await asyncio.wait(self._under_way, return_when=asyncio.FIRST_COMPLETED)
                    continue
                for part in await self._claim(room, stop):
                    task = asyncio.ensure_future(self._serve(part))
                    self._under_way.add(task)
                    task.add_done_callback(self._under_way.discard)
            await asyncio.gather(*self._under_way)
        finally:
            stop.cancel()
            await self._source.close()

    async def _claim(self, room: int, stop: "asyncio.Future[Any]") -> List[Part]:
        claim = asyncio.ensure_future(self._source.claim(room, CLAIM_WAIT_S))
        await asyncio.wait({claim, stop}, return_when=asyncio.FIRST_COMPLETED)
        if not claim.done():
            claim.cancel()
            await asyncio.gather(claim, return_exceptions=True)
            return []
        error = claim.exception()
        if error is None:
            return claim.result()
        self._on_error(error, None)
        await asyncio.wait({stop}, timeout=REST_S)
        return []

    async def _serve(self, part: Part) -> None:
        try:
            if await self._worked(part):
                await self._source.done(part)
            else:
                await self._source.later(part)
        except Exception as error:  # of any kind: the part comes again
            self._on_error(error, part)
            self._source.failed(part)

    async def _worked(self, part: Part) -> bool:
        try:
            await asyncio.wait_for(self._work(part, part_key(part)), self._work_s)
            return True
        except Exception as error:  # of any kind: the part is put off
            self._on_error(error, part)
            return False
