"""Buyers that place orders at once, for faults.long.test.ts. Prints ORDER lines as they succeed."""

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sluice_client import Sluice  # noqa: E402

AT_ONCE = 10
ORDER = {"saleId": "demo", "currency": "EUR", "lines": [{"sku": "lamp", "qty": 1}]}
DEADLINE_S = 120


async def main():
    gateways = os.environ["GATEWAYS"].split(",")
    left = int(os.environ["ORDERS"])
    placed = []

    async def buy(placer):
        nonlocal left
        while left > 0:
            left -= 1
            order = await placer.place(ORDER, deadline_s=DEADLINE_S)
            placed.append(order)
            print(f"ORDER {order.id}", flush=True)

    async with Sluice(gateways, os.environ["TOKEN"]) as sluice:
        if os.environ["WAY"] == "socket":
            async with await sluice.live() as live:
                await asyncio.gather(*(buy(live) for _ in range(AT_ONCE)))
                events = await asyncio.gather(*(order.outcome() for order in placed))
        else:
            await asyncio.gather(*(buy(sluice) for _ in range(AT_ONCE)))
            events = []
            for order in placed:
                events.append(await order.outcome())
        print("OUTCOMES", *sorted({event.event for event in events}), flush=True)


asyncio.run(main())
