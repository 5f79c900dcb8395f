"""A service over HTTP for test/http-parts-clients.test.ts: its first try fails."""

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sluice_client import HttpParts, Service, Sluice  # noqa: E402

tries = 0
source = None


async def work(part, key):
    global tries
    tries += 1
    first = tries == 1
    if os.environ.get("GIVE_UP"):
        await source.give_up(part, "broken")
    if first:
        raise RuntimeError("no paper")
    if not os.environ.get("GIVE_UP"):
        print(f"PACKED {key}", flush=True)


async def main():
    global source
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, stopping.set)
    failed = lambda error, part: print(f"FAILED {error!r}", flush=True)  # noqa: E731
    async with Sluice(os.environ["GATEWAY"], os.environ["TOKEN"]) as sluice:
        source = HttpParts(sluice)
        await Service(source, work, on_error=failed).run(stopping)
    print("STOPPED", flush=True)


asyncio.run(main())
