# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Address text: taken as the kernel takes it, and nothing on which Python and the kernel disagree."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.netnode.l3.plugins.module_utils.addresses import (
    parse_address,
    parse_interface,
    parse_mac,
    parse_network,
)

PYTHON_ONLY = [
    "010.0.0.1",
    "10.0.0.01",
    "fe80::1%eth0",
    "2001:db8::1%1",
    "::ffff:10.0.0.1",
    "::ffff:a00:1",
]
NOBODY_S = [
    "",
    " ",
    "10.0.0",
    "10.0.0.300",
    "10.0.0.1.1",
    " 10.0.0.1",
    "10.0.0.1 ",
    "10.0.0.1\n",
    "10.0.0.1\0",
    "\x0010.0.0.1",
    "10.0.0.1\x00.example",
    "0x0a.0.0.1",
    "167772161",
    "١٠.0.0.1",  # Arabic-Indic digits, which int() takes
    "１0.0.0.1",  # a fullwidth digit
    "::1.2.3.4",  # which is ::102:304 to Python and itself to ip
    "2001:db8::１",
    "2001:db8::\0",
    "2001:db8:::1",
    "2001:db8::12345",
    "1:2:3:4:5:6:7:8:9",
    ":",
    "localhost",
    pytest.param("1" * 100_000, id="very long"),
    pytest.param(":" * 100_000, id="very long with colons"),
]
NO_TEXT = [None, 0, 167772161, 10.0, True, b"10.0.0.1", b"\x0a\0\0\1", ["10.0.0.1"], {"ip": "10.0.0.1"}]


@pytest.mark.parametrize("text", ["10.0.0.1", "0.0.0.0", "255.255.255.255", "2001:db8::1", "::", "2001:DB8::A"])
def test_addresses(text: str) -> None:
    assert parse_address(text) == ipaddress.ip_address(text)


@pytest.mark.parametrize("value", [*PYTHON_ONLY, *NOBODY_S, *NO_TEXT])
def test_what_is_no_address(value: object) -> None:
    with pytest.raises(ValueError, match=r"^is not an IP address$"):
        parse_address(value)


def test_an_address_with_a_prefix_length_where_there_is_none() -> None:
    with pytest.raises(ValueError, match=r"^is not an IP address \(it has no prefix length here\)$"):
        parse_address("10.0.0.1/24")


@pytest.mark.parametrize("host", [*PYTHON_ONLY, *NOBODY_S])
@pytest.mark.parametrize("parse", [parse_interface, parse_network])
def test_what_is_no_address_is_none_with_a_prefix_length_either(parse: type, host: str) -> None:
    with pytest.raises(ValueError, match=r"^is not an IP address$"):
        parse(host + "/24")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "is not an IP address with a prefix length"),
        (24, "is not an IP address with a prefix length"),
        (["10.0.0.1/24"], "is not an IP address with a prefix length"),
        ("", "is not an IP address with a prefix length"),
        ("nonsense", "is not an IP address with a prefix length"),
        ("10.0.0.1", "has no prefix length (such as /24)"),
        ("2001:db8::1", "has no prefix length (such as /64)"),
        ("10.0.0.1/", "has a prefix length that is not a number from 0 to 32"),
        ("10.0.0.1/024", "has a prefix length that is not a number from 0 to 32"),  # octal to ip
        ("10.0.0.1/33", "has a prefix length that is not a number from 0 to 32"),
        ("10.0.0.1/-1", "has a prefix length that is not a number from 0 to 32"),
        ("10.0.0.1/+8", "has a prefix length that is not a number from 0 to 32"),
        ("10.0.0.1/ 8", "has a prefix length that is not a number from 0 to 32"),
        ("10.0.0.1/8\n", "has a prefix length that is not a number from 0 to 32"),
        ("10.0.0.1/24/24", "has a prefix length that is not a number from 0 to 32"),
        ("10.0.0.1/²", "has a prefix length that is not a number from 0 to 32"),
        ("10.0.0.1/٨", "has a prefix length that is not a number from 0 to 32"),
        ("10.0.0.1/255.255.255.0", "has a prefix length that is not a number from 0 to 32"),
        pytest.param("10.0.0.1/" + "9" * 100_000, "has a prefix length that is not a number from 0 to 32", id="very long"),
        ("2001:db8::1/129", "has a prefix length that is not a number from 0 to 128"),
    ],
)
@pytest.mark.parametrize("parse", [parse_interface, parse_network])
def test_prefix_lengths(parse: type, text: object, message: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|has) ") as error:
        parse(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("10.0.0.1/0", "has prefix length 0, which would make the whole Internet this network"),
        ("::1/0", "has prefix length 0, which would make the whole Internet this network"),
        ("127.0.0.1/8", "is a loopback address"),
        ("::1/128", "is a loopback address"),
        ("224.0.0.5/24", "is a multicast address"),
        ("ff02::1/64", "is a multicast address"),
        ("169.254.0.1/16", "is a link-local address"),
        ("fe80::1/64", "is a link-local address"),
        ("0.1.2.3/24", "is a reserved address"),
        ("240.0.0.1/24", "is a reserved address"),
        ("255.255.255.255/32", "is a reserved address"),
    ],
)
def test_addresses_that_no_port_can_have(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=r"^(is|has) ") as error:
        parse_interface(text)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "text", ["10.0.0.0/24", "10.0.0.255/24", "10.0.0.1/32", "10.0.0.1/31", "fd00:20::/64", "2001:db8::1/128"]
)
def test_addresses_that_a_port_can_have(text: str) -> None:
    assert parse_interface(text) == ipaddress.ip_interface(text)


@pytest.mark.parametrize(
    ("text", "network"),
    [("10.0.0.1/24", "10.0.0.0/24"), ("2001:db8::1/64", "2001:db8::/64"), ("10.0.0.1/0", "0.0.0.0/0")],
)
def test_a_network_has_no_host_bits(text: str, network: str) -> None:
    with pytest.raises(ValueError, match="host bits") as error:
        parse_network(text)
    assert str(error.value) == f"has host bits set (the network is {network})"
    assert parse_network(network) == ipaddress.ip_network(network)


@pytest.mark.parametrize(
    ("text", "mac"), [("fa:16:3e:00:00:01", "fa:16:3e:00:00:01"), ("FA:16:3E:00:00:0A", "fa:16:3e:00:00:0a")]
)
def test_mac_addresses(text: str, mac: str) -> None:
    assert parse_mac(text) == mac


@pytest.mark.parametrize(
    "value",
    [
        "",
        "fa:16:3e:00:00",
        "fa:16:3e:00:00:1",
        "fa:16:3e:00:00:1\n",
        "fa:16:3e:00:00:01\n",
        "fa:16:3e:00:00:01:02",
        "fa-16-3e-00-00-01",
        "fa163e000001",
        "fa:16:3e:00:00:0g",
        "fa:16:3e:00:00:0١",
        b"fa:16:3e:00:00:01",
        274973438283777,
        None,
        pytest.param("fa:16:3e:00:00:01" * 10_000, id="very long"),
    ],
)
def test_what_is_no_mac_address(value: object) -> None:
    with pytest.raises(ValueError, match=r"^is not a MAC address \(such as fa:16:3e:00:00:01\)$"):
        parse_mac(value)


@pytest.mark.parametrize("text", ["01:00:5e:00:00:01", "33:33:00:00:00:01", "ff:ff:ff:ff:ff:ff"])
def test_a_port_has_no_multicast_mac_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is a multicast MAC address$"):
        parse_mac(text)


def test_a_port_has_no_zero_mac_address() -> None:
    with pytest.raises(ValueError, match=r"^is the zero MAC address$"):
        parse_mac("00:00:00:00:00:00")


addresses = st.ip_addresses().map(str)
near_addresses = st.text("0123456789abcdefABCDEF.:/%x \0", max_size=50)
broken_addresses = st.builds(
    lambda text, place, letter: text[:place] + letter + text[place:],
    addresses,
    st.integers(0, 40),
    st.sampled_from([*"0123456789af.:/%", "::", "ffff:", "\0", "²", "١"]),
)
lengths = st.integers(-1, 129).map(str) | st.text("0123456789", min_size=1, max_size=4).filter(
    lambda t: t == t.lstrip("0") or t == "0"
)


@settings(deadline=None)
@given(addresses | broken_addresses | near_addresses)
def test_an_accepted_address_is_pythons_own(text: str) -> None:
    try:
        address = parse_address(text)
    except ValueError:
        return
    assert address == ipaddress.ip_address(text)


@settings(deadline=None)
@given(addresses | broken_addresses, lengths)
def test_an_accepted_address_with_a_length_is_pythons_own(host: str, length: str) -> None:
    text = f"{host}/{length}"
    for parse, python in ((parse_interface, ipaddress.ip_interface), (parse_network, ipaddress.ip_network)):
        try:
            value = parse(text)
        except ValueError:
            continue
        assert value == python(text)
