# SPDX-License-Identifier: Apache-2.0
"""Addresses of hosts and devices."""

import ipaddress
import re

from dictamesh.runtime.scan.formats.format import Format

_MAC = re.compile(r"[0-9A-F]{2}([:-])(?:[0-9A-F]{2}\1){4}[0-9A-F]{2}|(?:[0-9A-F]{4}\.){2}[0-9A-F]{4}", re.IGNORECASE)
_FOUR = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}", re.ASCII)
_HIGH = 64  # parts of a version are smaller, and three of four addresses have a higher one


def ipv4(text: str) -> bool:
    """An IPv4 address that is no likely version number: a part of it is at least 64. Loopback and 0.0.0.0 are none."""
    value = text.strip()
    if not _FOUR.fullmatch(value):
        return False
    try:
        found = ipaddress.IPv4Address(value)
    except ValueError:
        return False
    return not found.is_loopback and max(found.packed) >= _HIGH


def ipv6(text: str) -> bool:
    """An IPv6 address with at least two colons; loopback and :: are none."""
    value = text.strip()
    if value.count(":") < 2 or len(value) > 45:
        return False
    try:
        found = ipaddress.IPv6Address(value)
    except ValueError:
        return False
    return not (found.is_loopback or found.is_unspecified)


def mac(text: str) -> bool:
    """A hardware address of six octets with separators (IEEE 802)."""
    value = text.strip()
    return _MAC.fullmatch(value) is not None and len(set(value.strip("0:-."))) > 1


NETWORK = (
    Format("ipv4", "ip", ipv4, ("9.9.9.99",), 0.45, 0.8, passes=0.9, least=0.7),
    Format("ipv6", "ip", ipv6, ("FFFF:FF:9999:9999",), 0.001, 0.9),
    Format("mac", "mac", mac, ("XX:XX:XX:XX:XX:XX", "XX-XX-XX-XX-XX-XX"), 0.01, 0.85),
)
