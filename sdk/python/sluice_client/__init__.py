"""Sluice's client for Python. README.md shows how to use it."""

from .amqp_parts import AmqpParts
from .client import Sluice
from .events import OrderEvent
from .http_parts import HttpParts
from .ids import uuid_v7
from .live import Live
from .order import Order
from .problems import PROBLEM_CODES, Problem, Refused, SluiceError, Unfinished
from .sequence import NumberedOrders
from .service import Part, PartSource, Service, part_key
from .states import FINISHED_STATES, OPEN_STATES, is_decided, is_finished

__all__ = [
    "AmqpParts",
    "FINISHED_STATES",
    "HttpParts",
    "Live",
    "NumberedOrders",
    "OPEN_STATES",
    "Order",
    "OrderEvent",
    "PROBLEM_CODES",
    "Part",
    "PartSource",
    "Problem",
    "Refused",
    "Service",
    "Sluice",
    "SluiceError",
    "Unfinished",
    "is_decided",
    "is_finished",
    "part_key",
    "uuid_v7",
]
