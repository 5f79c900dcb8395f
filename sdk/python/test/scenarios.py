"""The client against a running shop, one scenario a call. python.test.ts starts it and judges.

Prints one JSON object: what each scenario found.
"""

import asyncio
import json
import os
import re
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sluice_client import (  # noqa: E402
    FINISHED_STATES,
    OPEN_STATES,
    PROBLEM_CODES,
    Refused,
    Sluice,
    Unfinished,
    uuid_v7,
)

LAMP = {"sku": "lamp", "qty": 1}
ORDER = {"saleId": "demo", "currency": "EUR", "lines": [LAMP]}
HOUR_S = 3_600


def client(shop, user, gateways=None, **more):
    return Sluice(gateways or shop["gateway"], shop["tokens"][user], **more)


async def readme(shop):
    """The first example of the README, as it stands there."""
    example = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)[1]
    names = {"LAMP": LAMP}
    exec(example, names)
    id, event = await names["buy"](shop["gateway"], shop["tokens"]["ann"])
    return {"id": id, "event": event, "lines": len(example.strip().splitlines())}


async def lost_answer(shop):
    async with client(shop, "bob", shop["cut"]) as sluice:
        order = await sluice.place(ORDER)
        outcome = await order.outcome()
        seen = []
        async for event in order.events(deadline_s=30):
            seen.append([event.n, event.event])
            if event.event == "paid":
                break
        return {"outcome": outcome.event, "seen": seen, "status": (await order.get())["status"]}


async def silent_gateway(shop):
    async with client(shop, "cai", [shop["silent"], shop["gateway"]], attempt_s=0.5) as sluice:
        return {"outcome": (await (await sluice.place(ORDER)).outcome()).event}


async def deadline(shop):
    draft = {**ORDER, "id": uuid_v7(int(time.time() * 1000))}
    found = {}
    async with client(shop, "dan", shop["silent"]) as sluice:
        try:
            await sluice.place(draft, deadline_s=0.5)
        except Unfinished as error:
            found = {"effect": error.effect, "same": error.order_id == draft["id"]}
    async with client(shop, "dan") as sluice:
        order = await sluice.place(draft)
        try:
            await order.finished(deadline_s=0.5)  # nobody charges it
        except Unfinished as error:
            found["late"] = error.effect
        return {**found, "outcome": (await order.outcome()).event}


async def clocks(shop):
    outcomes = []
    for off_s in (HOUR_S, -HOUR_S):
        async with client(shop, "eve", now=lambda: time.time() + off_s) as sluice:
            outcomes.append((await (await sluice.place(ORDER)).outcome()).event)
            draft = await sluice.draft(ORDER)
            outcomes.append((await sluice.place(draft)).id == draft["id"])
    return {"outcomes": outcomes}


async def refusals(shop):
    async with client(shop, "fay") as sluice:
        try:
            await sluice.place({**ORDER, "lines": [{"sku": "lamp", "qty": 0}]})
        except Refused as error:
            return {"code": error.code, "field": error.problem.field, "effect": error.effect}


async def cancel(shop):
    async with client(shop, "gus") as sluice:
        order = await sluice.place(ORDER)
        await order.outcome()
        words = [await order.cancel(), await order.cancel()]
        return {"words": words, "end": (await order.finished()).event}


async def numbers(shop):
    async with client(shop, "hal") as sluice:
        sequence = sluice.sequence("demo")
        lamp = {"currency": "EUR", "lines": [LAMP]}
        first, second = await sequence.draft(lamp), await sequence.draft(lamp)
        await sequence.place(second)
        await sequence.place(first)
        try:
            await sequence.place({"currency": "EUR", "lines": [{"sku": "lamp", "qty": 0}]})
        except Refused:
            pass
        third = await sequence.place(lamp)
        await sequence.skip(4)
        fifth = await sequence.place(lamp)
        return {"seq": [third.seq, fifth.seq], "outcome": (await fifth.outcome()).event}


async def tokens(shop):
    given = ["rubbish", shop["tokens"]["ida"]]

    async def token():
        return given.pop(0)

    async with Sluice(shop["gateway"], token) as sluice:
        return {"status": (await sluice.place(ORDER)).status, "left": len(given)}


async def socket(shop):
    async with client(shop, "jim", shop["cut2"]) as sluice:
        async with await sluice.live() as live:
            stock = {}
            await live.watch_stock("demo", stock.update)
            order = await live.place(ORDER)
            outcome = await order.outcome()
            seen = []
            async for event in order.events(deadline_s=30):
                seen.append(event.event)
                if event.event == "paid":
                    break
            many = await asyncio.gather(*(live.place(ORDER) for _ in range(20)))
            return {
                "outcome": outcome.event,
                "seen": seen,
                "ids": len({order.id for order in many}),
                "stock": "lamp" in stock,
            }


async def again(shop):
    """The first to buy the rare item gets it; later ones learn from the gateway that it is gone."""
    rare = {**ORDER, "lines": [{"sku": "rare", "qty": 1}]}
    async with client(shop, "kai") as sluice:
        first = await sluice.draft(rare)
        outcome = (await (await sluice.place(first)).outcome()).event
        while (await sluice.place(draft := await sluice.draft(rare))).status == "accepted":
            await asyncio.sleep(0.05)
        same = (await sluice.place(first, again=True)).id == first["id"]
        found = {"outcome": outcome, "same": same}
        try:
            await sluice.place(draft, deadline_s=0.5, again=True)
        except Unfinished as error:
            found["effect"] = error.effect
        sale, listed = await sluice.sale("demo"), await sluice.orders(limit=1, status="sold_out")
        found["items"] = sorted(item["sku"] for item in sale["items"])
        found["digits"] = (await sluice.rates())["digits"]["JPY"]
        return {**found, "listed": len(listed["orders"]) <= 1}


async def words(_):
    return {"problems": PROBLEM_CODES, "open": OPEN_STATES, "finished": FINISHED_STATES}


SCENARIOS = (
    *(readme, lost_answer, silent_gateway, deadline, clocks, refusals),
    *(cancel, numbers, tokens, socket, again, words),
)


async def main():
    shop = json.loads(os.environ["SHOP"])

    async def one(scenario):
        try:
            return await asyncio.wait_for(scenario(shop), 60)
        except Exception as error:
            return {"failed": repr(error)}

    found = await asyncio.gather(*(one(scenario) for scenario in SCENARIOS))
    print(json.dumps({scenario.__name__: of for scenario, of in zip(SCENARIOS, found)}))


asyncio.run(main())
