"""Order ids: UUIDv7 in lower case (RFC 9562 section 5.7), and the server's time for them."""

from __future__ import annotations

import os
import time
import uuid
from email.utils import parsedate_to_datetime
from typing import Callable, Optional

# A Date header has whole seconds, and an answer takes time: less than this means nothing.
NOISE_S = 2.0


def uuid_v7(at_ms: int) -> str:
    """The first 48 bits are the time, by which gateways refuse ids too old or ahead."""
    value = (at_ms & (2**48 - 1)) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


class ServerClock:
    """The server's time, from the Date header of its answers. This machine's may be wrong."""

    def __init__(self, own: Callable[[], float] = time.time) -> None:
        self._own = own
        self._offset_s: Optional[float] = None

    @property
    def known(self) -> bool:
        """Whether an answer has shown the server's time."""
        return self._offset_s is not None

    def now_ms(self) -> int:
        return int((self._own() + (self._offset_s or 0.0)) * 1000)

    def learn(self, date: Optional[str], sent_at_s: float) -> None:
        """`sent_at_s` is the monotonic time at which the request left."""
        try:
            server_s = parsedate_to_datetime(date or "").timestamp()
        except (TypeError, ValueError):
            return
        half_way_s = self._own() - (time.monotonic() - sent_at_s) / 2
        offset_s = server_s + 0.5 - half_way_s
        self._offset_s = 0.0 if abs(offset_s) < NOISE_S else offset_s
