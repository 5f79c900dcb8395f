"""The states of an order."""

# Others follow these.
OPEN_STATES = ("accepted", "parked", "reserved", "paid")

# Final, except that an operator may have a failed payment tried again.
FINISHED_STATES = (
    "dispatched",
    "sold_out",
    "over_limit",
    "over_max_total",
    "sale_closed",
    "unknown_item",
    "fx_unavailable",
    "superseded",
    "stale",
    "rejected",
    "cancelled",
    "payment_failed",
    "expired",
)


def is_finished(word: str) -> bool:
    return word in FINISHED_STATES


def is_decided(word: str) -> bool:
    """The sale has an answer for this order; before that it waits."""
    return word in FINISHED_STATES or word in ("reserved", "paid")
