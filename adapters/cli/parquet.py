"""Parquet files with typed columns: integers stay integers, days days, and instants are UTC to the microsecond."""

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.postgres.exporting import Column, Export

TYPES: dict[str, pa.DataType] = {
    "bigint": pa.int64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "integer": pa.int32(),
    "text": pa.string(),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
}
"""By the type's name in PostgreSQL: all that views for readers have."""


def schema_of(columns: list[Column]) -> pa.Schema:
    """The schema of a file."""
    return pa.schema([(column.name, TYPES[column.type]) for column in columns])


def write_parquet(export: Export, path: Path, tell: Callable[[int], object]) -> int:
    """Write a row group for each batch; returns the number of rows."""
    schema, written = schema_of(export.columns), 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for rows in export.batches():
            columns = zip(*rows, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            written += len(rows)
            tell(written)
    return written
