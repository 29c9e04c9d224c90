"""Addresses to listen on and to call: which of them stay on this machine."""

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Whether a host, without its port, is this machine and only this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def host_of(target: str) -> str:
    """The host of an address with a port."""
    return target.rpartition(":")[0]


def listening_address(address: str, *, secured: bool) -> str:
    """Host and port as gRPC takes them. Raises ValueError for a host that others can reach, unless `secured`."""
    host, _, port = address.rpartition(":")
    host = "127.0.0.1" if host == "localhost" else host.strip("[]")
    if not host or not port.isdecimal():
        raise ValueError(f"{address!r} is not a host with a port")
    if not secured and not is_loopback(host):
        raise ValueError(
            f"{host!r} can be reached from other machines: "
            "that takes TLS and access control, by tokens or by client certificates"
        )
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
