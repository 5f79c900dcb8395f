"""A processing service over HTTP for test/http-parts.test.ts: its first try fails."""

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sluice_client import HttpParts, Service, Sluice  # noqa: E402

tries = 0


async def work(part, key):
    global tries
    tries += 1
    if tries == 1:
        raise RuntimeError("no paper")
    print(f"PACKED {key}", flush=True)


async def main():
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_reader(sys.stdin, stopping.set)
    failed = lambda error, part: print(f"FAILED {error!r}", flush=True)  # noqa: E731
    async with Sluice(os.environ["GATEWAY"], os.environ["TOKEN"]) as sluice:
        await Service(HttpParts(sluice), work, on_error=failed).run(stopping)
    print("STOPPED", flush=True)


asyncio.run(main())
