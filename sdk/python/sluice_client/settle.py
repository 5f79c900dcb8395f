"""Sends one request until its result is known, or until the deadline.

1. The same request is sent each time, so repeats change nothing.
2. Once an attempt may have had an effect, a later refusal is no proof that there is none: the
   result is looked up instead, and stays unknown if it cannot be found.
3. Each attempt and each wait ends by the deadline.
"""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass
from typing import Any, Awaitable, Callable, Optional

from .problems import Problem, Refused, Unfinished

DEADLINE_S = 30.0
FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 3.0
# Retry-After has whole seconds: this spreads clients within one.
SPREAD_S = 1.0


@dataclass(frozen=True)
class Answer:
    """`done` with a value, or what a problem means: `refused`, `later` or `unknown`."""

    kind: str
    value: Any = None
    problem: Optional[Problem] = None


Attempt = Callable[[str], Awaitable[Answer]]


async def settle(
    what: str,
    attempt: Attempt,
    deadline_s: Optional[float],
    order_id: Optional[str] = None,
    look_up: Optional[Attempt] = None,
    earlier: str = "none",
) -> Any:
    """`attempt` gets the effect of earlier attempts: `none` or `unknown`.

    `earlier`: whether an earlier run of the program may have sent the same.
    """
    until = time.monotonic() + checked(deadline_s, DEADLINE_S)
    effect = earlier
    problem: Optional[Problem] = None
    tries = 0
    while (left := until - time.monotonic()) > 0:
        try:
            answer = await asyncio.wait_for(attempt(effect), left)
        except asyncio.TimeoutError:
            effect = "unknown"
            break
        if answer.kind == "done":
            return answer.value
        if answer.kind == "unknown":
            effect = "unknown"
        problem = answer.problem or problem
        if answer.kind == "refused":
            if effect == "none":
                raise Refused(answer.problem)
            if look_up is None:
                reason = "refused after an attempt without an answer"
                raise Unfinished(what, effect, problem, order_id, reason)
            attempt = look_up
        wait_s = wait_of(tries, answer.problem)
        tries += 1
        left = until - time.monotonic()
        # No later attempt can be made in time, and nothing is in doubt.
        if effect == "none" and wait_s > left:
            break
        await asyncio.sleep(max(0.0, min(wait_s, left)))
    raise Unfinished(what, effect, problem, order_id)


def wait_of(tries: int, problem: Optional[Problem] = None) -> float:
    """As the gateway asks, or longer each time; spread, so that clients do not return together."""
    if problem is not None and problem.retry_after_s is not None:
        return problem.retry_after_s + random.random() * SPREAD_S
    longest = min(FIRST_WAIT_S * 2 ** min(tries, 10), LONGEST_WAIT_S)
    return longest * (0.5 + random.random() / 2)


def checked(deadline_s: Optional[float], default_s: float) -> float:
    if deadline_s is None:
        return default_s
    if not deadline_s > 0:
        raise ValueError("deadline_s must be a number above 0")
    return deadline_s
