"""The Python client of the ledger.

async with AsyncLedgerClient("127.0.0.1:50051", programme="acme", channel="shop", actor="shop-backend") as client:
    receipt = await client.earn(member="anna", points=100, unit="PTS", source=Source(type="order", id="A-1"))
    balance = await client.get_balance(member="anna", min_position=receipt.position)
"""

from adapters.grpc.client.access import Tls, Token
from adapters.grpc.client.aio import AsyncLedgerClient
from adapters.grpc.client.errors import (
    CommandIdReused,
    InternalError,
    InvalidArgument,
    LedgerClientError,
    NotFound,
    Overloaded,
    PermissionDenied,
    Refused,
    TimedOut,
    Unauthenticated,
    Unavailable,
)
from adapters.grpc.client.ids import uuid7
from adapters.grpc.client.retries import Retries
from adapters.grpc.client.sync import LedgerClient
from loyalty.v1.answers_pb2 import Receipt
from loyalty.v1.commands_pb2 import Command, ExecuteRequest, ExecuteResponse
from loyalty.v1.types_pb2 import Amount, Discount, Distance, Expiry, Line, PointUnit, Price, Settings, Source, Tender

__all__ = [
    "Amount",
    "AsyncLedgerClient",
    "Command",
    "CommandIdReused",
    "Discount",
    "Distance",
    "ExecuteRequest",
    "ExecuteResponse",
    "Expiry",
    "InternalError",
    "InvalidArgument",
    "LedgerClient",
    "LedgerClientError",
    "Line",
    "NotFound",
    "Overloaded",
    "PermissionDenied",
    "PointUnit",
    "Price",
    "Receipt",
    "Refused",
    "Retries",
    "Settings",
    "Source",
    "Tender",
    "TimedOut",
    "Tls",
    "Token",
    "Unauthenticated",
    "Unavailable",
    "uuid7",
]
