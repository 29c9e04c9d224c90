"""The settings of the embedded server, each with its reason, as a file that postgresql.conf includes.

They suit a machine of two cores on which one writer copies batches of events, and a reader folds them.
"""

from collections.abc import Mapping

PORT = 5432

_SETTINGS = (
    ("listen_addresses", "", "no TCP: the socket directory's permissions come before any password"),
    ("port", str(PORT), "part of the socket's name; fixed, as every server has a socket directory of its own"),
    ("unix_socket_permissions", "0700", "only the owner of the data, and root, may even knock"),
    ("max_connections", "50", "writer, projections, queries and an operator; each one more costs memory"),
    ("fsync", "on", "an answer that was given must survive a power cut"),
    ("full_page_writes", "on", "a page torn by a crash is mended from the log"),
    ("synchronous_commit", "on", "the writer answers only after the flush; its batches share one flush"),
    ("shared_buffers", "256MB", "the hot pages of log and views, on a machine shared with the service"),
    ("work_mem", "16MB", "sorts and hashes of set-wise view writes stay in memory"),
    ("maintenance_work_mem", "128MB", "index builds of a new view version"),
    ("wal_compression", "on", "smaller full-page images: less to flush after every checkpoint"),
    ("max_wal_size", "2GB", "room for a long import between two checkpoints"),
    ("min_wal_size", "256MB", "reuse log files rather than make them in the way of a commit"),
    ("checkpoint_timeout", "15min", "fewer full-page images, at the price of a longer recovery after a crash"),
    ("checkpoint_completion_target", "0.9", "spread the writes, so that no commit waits behind a burst"),
    ("jit", "off", "our queries are short: compiling costs more than it saves"),
    ("autovacuum", "on", "views are updated all the time, and every table must be frozen in time"),
    ("logging_collector", "off", "the log is the file that the starter hands over"),
    ("log_line_prefix", "%m [%p] %q%u@%d ", "time, process, and for sessions who and where"),
    ("timezone", "UTC", "instants are instants; a programme's zone is the ledger's business"),
    ("log_timezone", "UTC", "the same clock as everything else"),
    ("cluster_name", "loyalty-ledger", "to be told apart in a list of processes"),
)


def render_settings(socket_dir: str, extra: Mapping[str, str]) -> str:
    """The text of the settings file. `extra` adds to the settings above, or replaces them."""
    rows = [*_SETTINGS, ("unix_socket_directories", socket_dir, "a directory of 0700, see unix_socket_permissions")]
    kept = [(name, value, reason) for name, value, reason in rows if name not in extra]
    asked = [(name, value, "asked for by the caller") for name, value in extra.items()]
    lines = ["# A start may change these. Lasting changes of your own: ALTER SYSTEM, which is read after this file."]
    for name, value, reason in kept + asked:
        lines += ["", f"# {reason}", f"{name} = {_quote(value)}"]
    return "\n".join(lines) + "\n"


def _quote(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
