"""Parts over AMQP, with aio-pika (`pip install sluice-client[amqp]`).

docs/fulfilment.md has the protocol.

1. A message is acknowledged when the ledger has the fate of all its parts.
2. A row without an answer is sent again: repeats change nothing.
3. A connection that ends is opened again. The broker then redelivers whatever was not acknowledged.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any, Dict, List, Optional, Set, Tuple
from urllib.parse import unquote, urlsplit

from .ids import uuid_v7
from .problems import Unfinished
from .service import Part, part_key
from .settle import DEADLINE_S, wait_of

PREFETCH = 16
ANSWER_S = 5.0
REDELIVER_S = 1.0
CONNECT_S = 10.0
NOTICE_S = 1.0


class _Held:
    """A message whose parts are under way."""

    def __init__(self, message: Any, parts: List[Part]) -> None:
        self.message = message
        self.open: Set[str] = {part_key(part) for part in parts}


class AmqpParts:
    """`url`: one region's broker. `service`: the name that routes give the service."""

    def __init__(self, url: str, service: str, prefetch: int = PREFETCH) -> None:
        self._url = url
        self._service = service
        self._prefetch = prefetch
        # The broker vouches for the connection's user.
        self._user_id = unquote(urlsplit(url).username or "guest")
        self._me = f"{service}-{_id()}"
        self._arrived: "asyncio.Queue[Tuple[Part, _Held]]" = asyncio.Queue()
        self._held: Dict[str, _Held] = {}
        self._answers: Dict[str, "asyncio.Future[str]"] = {}
        self._connection: Any = None
        self._channel: Any = None
        self._exchange: Any = None
        self._connecting = asyncio.Lock()
        self._closed = False

    async def claim(self, most: int, wait_s: float) -> List[Part]:
        until = time.monotonic() + wait_s
        taken: List[Tuple[Part, _Held]] = []
        while not taken:
            if (left := until - time.monotonic()) <= 0:
                return []
            await self._connected()
            try:
                # A connection that is lost meanwhile is noticed after a second.
                taken.append(await asyncio.wait_for(self._arrived.get(), min(left, NOTICE_S)))
            except asyncio.TimeoutError:
                continue
        while len(taken) < most and not self._arrived.empty():
            taken.append(self._arrived.get_nowait())
        claimed = await asyncio.gather(*(self._claim(part, held) for part, held in taken))
        return [part for part in claimed if part is not None]

    async def done(self, part: Part) -> None:
        await self._tell(part, "done")
        await self._settled(part)

    async def later(self, part: Part) -> None:
        await self._tell(part, "later")
        await self._settled(part)

    def failed(self, part: Part) -> None:
        held = self._held.get(part_key(part))
        if held is not None:
            self._give_back(held)

    async def close(self) -> None:
        self._closed = True
        if self._connection is not None:
            await self._connection.close()

    async def _claim(self, part: Part, held: _Held) -> Optional[Part]:
        """None: cancelled, or another service has it."""
        self._held[part_key(part)] = held
        try:
            if await self._tell(part, "claim") == "claimed":
                return part
            await self._settled(part)
        except Unfinished:
            self._give_back(held)  # without an answer it comes again
        return None

    async def _tell(self, part: Part, report: str) -> str:
        """Sends a row until it is answered; returns the word without the sign of its newness."""
        until = time.monotonic() + DEADLINE_S
        while time.monotonic() < until and not self._closed:
            word = await self._ask(part, report)
            if word is not None:
                return word[1:]
        raise Unfinished(f"{report} of part {part_key(part)}", "unknown", None, part["id"])

    async def _ask(self, part: Part, report: str) -> Optional[str]:
        import aio_pika

        message_id = _id()
        answer: "asyncio.Future[str]" = asyncio.get_running_loop().create_future()
        self._answers[message_id] = answer
        message = aio_pika.Message(
            json.dumps(self._row(part, report)).encode(),
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            message_id=message_id,
            app_id=self._me,
            user_id=self._user_id,
            type="orders.v1",
        )
        try:
            await self._connected()
            sending = self._exchange.publish(message, str(part["shard"]))
            await asyncio.wait_for(sending, ANSWER_S)
            return await asyncio.wait_for(answer, ANSWER_S)
        except asyncio.TimeoutError:
            return None
        except (aio_pika.exceptions.AMQPError, ConnectionError, RuntimeError):
            await asyncio.sleep(REDELIVER_S)
            return None
        finally:
            del self._answers[message_id]

    def _row(self, part: Part, report: str) -> Dict[str, Any]:
        """Columns of one row each."""
        row = {"v": 1, "kind": "f", "order": [f"{part['user']} {part['id']}"]}
        row.update(at=[int(time.time() * 1000)], generation=[part["generation"]])
        row.update(part=[part["part"]], parts=[part["of"]], report=[report])
        row.update(service=[self._service])
        if report == "later":
            row["request"] = [part.get("request", 1)]
        return row

    async def _connected(self) -> None:
        async with self._connecting:
            tries = 0
            while self._channel is None or self._channel.is_closed:
                if self._closed:
                    raise Unfinished("connection to the broker", "none", reason="closed")
                try:
                    await asyncio.wait_for(self._connect(), CONNECT_S)
                except Exception:  # of any kind: the broker is away
                    await asyncio.sleep(wait_of(tries))
                    tries += 1

    async def _connect(self) -> None:
        import aio_pika

        if self._connection is not None:
            await self._connection.close()
        # What the lost channel held is redelivered (3).
        self._arrived = asyncio.Queue()
        self._held.clear()
        self._connection = await aio_pika.connect(self._url, timeout=CONNECT_S)
        channel = await self._connection.channel(publisher_confirms=False)
        answers = await channel.declare_queue(
            f"gateway.{self._me}", exclusive=True, durable=False, auto_delete=True
        )
        await answers.consume(self._answered, no_ack=True)
        await channel.set_qos(prefetch_count=self._prefetch)
        self._exchange = await channel.get_exchange("claims", ensure=False)
        queue = await channel.get_queue(f"fulfilment.{self._service}", ensure=False)
        await queue.consume(self._arrive)
        self._channel = channel

    async def _answered(self, message: Any) -> None:
        for message_id, words in json.loads(message.body)["batches"]:
            answer = self._answers.get(message_id)
            if answer is not None and not answer.done():
                answer.set_result(words.split(",")[0])

    async def _arrive(self, message: Any) -> None:
        try:
            parts = json.loads(message.body)
            held = _Held(message, parts)
        except (ValueError, TypeError, KeyError):
            # Not a list of parts: it goes to the parts without a route, for an operator.
            await message.reject(requeue=False)
            return
        for part in parts:
            self._arrived.put_nowait((part, held))

    async def _settled(self, part: Part) -> None:
        """The ledger has the part's fate (1)."""
        held = self._held.pop(part_key(part), None)
        if held is None:
            return
        held.open.discard(part_key(part))
        if not held.open:
            await _safely(held.message.ack())

    def _give_back(self, held: _Held) -> None:
        self._held = {key: of for key, of in self._held.items() if of is not held}

        async def again() -> None:
            await asyncio.sleep(REDELIVER_S)
            await _safely(held.message.nack(requeue=True))

        asyncio.ensure_future(again())


async def _safely(settling: Any) -> None:
    """A channel that has closed acknowledges nothing: the broker delivers the message again."""
    try:
        await settling
    except Exception:  # see above
        pass


def _id() -> str:
    return uuid_v7(int(time.time() * 1000))
