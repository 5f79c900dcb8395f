"""What can go wrong, by what the caller must do.

Refused: correct the request. Unfinished: look at its effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping, Optional

# Every code a gateway uses (RFC 9457 with `code`). Newer gateways may add some.
PROBLEM_CODES = (
    "bad_host",
    "malformed",
    "not_an_object",
    "duplicate_key",
    "too_deep",
    "no_token",
    "bad_token",
    "token_expired",
    "forbidden",
    "foreign_origin",
    "not_found",
    "not_known_yet",
    "method_not_allowed",
    "conflict",
    "too_late",
    "lease_ended",
    "too_large",
    "unsupported_type",
    "unsupported_encoding",
    "unknown_field",
    "missing_field",
    "wrong_type",
    "out_of_range",
    "duplicate_item",
    "unknown_sale",
    "unknown_item",
    "unknown_currency",
    "stale_id",
    "future_id",
    "too_many_cancels",
    "too_many_claims",
    "sold_out",
    "rate_limited",
    "credit",
    "internal",
    "shed",
    "unconfirmed",
    "unavailable",
)

_NO_EFFECT_YET = frozenset(
    ("shed", "rate_limited", "credit", "unavailable", "too_many_cancels", "not_known_yet")
)


@dataclass(frozen=True)
class Problem:
    """A gateway's answer other than success. `http_<status>`: not from Sluice."""

    code: str
    status: int
    title: str
    # The member, parameter, header or claim at fault, such as `lines[2].qty`.
    field: Optional[str] = None
    detail: Optional[str] = None
    estimate: Optional[Mapping[str, float]] = None
    retry_after_s: Optional[float] = None

    def __str__(self) -> str:
        where = f" ({self.field})" if self.field else ""
        return f"{self.code}{where}: {self.title}" + (f": {self.detail}" if self.detail else "")

    @property
    def meaning(self) -> str:
        """What it means for the request: `refused`, `later` or `unknown` (its effect)."""
        if self.code in _NO_EFFECT_YET:
            return "later"
        if self.code in ("unconfirmed", "internal"):
            return "unknown"
        # A proxy's 429 came before the gateway; its 5xx may have come after.
        if self.status == 429:
            return "later"
        return "unknown" if self.status >= 500 or self.status == 408 else "refused"


class SluiceError(Exception):
    pass


class Refused(SluiceError):
    """The request is wrong as it stands, and had no effect. Do not send it again."""

    effect = "none"

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem

    @property
    def code(self) -> str:
        return self.problem.code


class Unfinished(SluiceError):
    """Time is up. If `effect` is `unknown`, send the same again to find out.

    An order whose events ended early was placed, and goes on: that is `unknown` too.
    """

    def __init__(
        self,
        what: str,
        effect: str,
        problem: Optional[Problem] = None,
        order_id: Optional[str] = None,
        reason: str = "time is up",
    ) -> None:
        known = "it had no effect" if effect == "none" else "its result is unknown"
        super().__init__(f"{what}: {reason}; {known}" + (f" ({problem})" if problem else ""))
        self.effect = effect
        self.problem = problem
        self.order_id = order_id


def read_problem(body: Any, status: int, retry_after_s: Optional[float] = None) -> Problem:
    """A problem from a body or a frame; whatever else a proxy may answer becomes one too."""
    if not isinstance(body, dict) or not isinstance(body.get("code"), str):
        return Problem(f"http_{status}", status, f"HTTP status {status}", None, None, None,
                       retry_after_s)
    return Problem(
        code=body["code"],
        status=status,
        title=str(body.get("title", body["code"])),
        field=body.get("field"),
        detail=body.get("detail"),
        estimate=body.get("estimate"),
        retry_after_s=retry_after_s,
    )
