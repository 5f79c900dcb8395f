"""A processing service for service.long.test.ts: its first try fails, and it prints what it did."""

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sluice_client import AmqpParts, Service  # noqa: E402

tries = 0


async def work(part, key):
    global tries
    tries += 1
    print(f"TRY {tries} {key} {part['lines'][0]['sku']}", flush=True)
    if tries == 1:
        raise RuntimeError("no paper")
    print(f"PACKED {key}", flush=True)
    await asyncio.sleep(0.2)


async def main():
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(sys.stdin, stopping.set)
    failed = lambda error, part: print(f"FAILED {error!r}", flush=True)  # noqa: E731
    source = AmqpParts(os.environ["AMQP_URL"], "gallery")
    await Service(source, work, on_error=failed).run(stopping)
    print("STOPPED", flush=True)


asyncio.run(main())
