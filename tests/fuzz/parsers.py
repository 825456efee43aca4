# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fuzzing, guided by coverage, of one parser of what the engine reads on a node: whatever it reads, it fails in the one way
that its caller expects, or not at all.

    python -m tests.fuzz.parsers iptables-save -max_total_time=60

Run by tests/fuzz/test_parsers.py for a moment, and by ``make fuzz`` for longer. What follows the name is for libFuzzer.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import atheris

with atheris.instrument_imports(include=["ansible_collections.netnode.l3.plugins.module_utils"]):
    from ansible_collections.netnode.l3.plugins.module_utils import firewall, json_text, saved_routers, state
    from ansible_collections.netnode.l3.plugins.module_utils.errors import InvalidOption, NotRouterData
    from ansible_collections.netnode.l3.plugins.module_utils.fields import ID
    from ansible_collections.netnode.l3.plugins.module_utils.firewall import iptables_save, nftables_table
    from ansible_collections.netnode.l3.plugins.module_utils.host import (
        conntrack,
        known_rules,
        netlink,
        ovs,
        proxy_neighbours,
        rtnetlink,
        traffic_control,
    )
    from ansible_collections.netnode.l3.plugins.module_utils.host.command import CommandError
    from ansible_collections.netnode.l3.plugins.module_utils.host.nftables import Generation
    from ansible_collections.netnode.l3.plugins.module_utils.host.port_flows import PortFlow
    from ansible_collections.netnode.l3.plugins.module_utils.interface_drivers.driver import owner
    from ansible_collections.netnode.l3.plugins.module_utils.options import Options, parse_options
    from ansible_collections.netnode.l3.plugins.module_utils.port_forwardings import Destinations, Ports
    from ansible_collections.netnode.l3.plugins.module_utils.router_data import check_routers
    from ansible_collections.netnode.l3.plugins.module_utils.services.metadata_proxy import MetadataProxy, Upstream
    from ansible_collections.netnode.l3.plugins.module_utils.services.router_advertisements import subnets_of, without_mtu

_SAVED = b"""*nat
:PREROUTING ACCEPT [0:0]
:l3-PREROUTING - [0:0]
:l3-snat - [0:0]
-A PREROUTING -j l3-PREROUTING
-A PREROUTING -m comment --comment "a \\"b\\" -j l3-snat" -j ACCEPT
-A l3-PREROUTING -d 203.0.113.20/32 -j DNAT --to-destination 10.0.0.5
-A l3-PREROUTING -d 203.0.113.30/32 -p tcp -m tcp --dport 80:89 -j DNAT --to-destination 10.0.0.5:90-99/80
-A l3-snat -o qg-a -j SNAT --to-source 203.0.113.10 --random-fully
COMMIT
"""


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def rules_of_iptables(data: bytes) -> None:
    """What is ours is told apart from what is not, and the change to what is wanted names nothing that is foreign."""
    text = _text(data)
    iptables_save.without_agents(text)
    ours = iptables_save.parse_save(text).ours
    firewall.firewall_from({state.IPV4: ours})
    iptables_save.describe_changes({}, ours)
    for line in iptables_save.restore_text({}, ours).split("\n"):
        words = line.split(" ")
        if words[0] in ("-X", "-F"):
            assert iptables_save.is_ours(words[1]), line


_LISTED = b"""table inet l3 {
\tflags dormant
\tmap floating_ips {
\t\ttype ipv4_addr : ipv4_addr
\t\telements = { 203.0.113.20 comment "a, \\" }" : 10.0.0.5,
\t\t\t     203.0.113.21 : 10.0.0.6 }
\t}
\tmap forwarded_ports {
\t\ttype ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service
\t\telements = { 203.0.113.30 . tcp . 80 comment "80-81" : 10.0.0.5 . 8080 }
\t}
\tchain source_nat {
\t\tcomment "x"
\t\toifname "qg-a" snat ip to 203.0.113.10 fully-random
\t}
}
"""


def rules_of_nftables(data: bytes) -> None:
    """What is in the table is told from what is wanted, and the change names no other table."""
    have = nftables_table.parse_table(_text(data))
    firewall.firewall_from({state.INET: have})
    firewall.why_damaged({state.INET: have}, [])
    want = nftables_table.parse_table(_text(_LISTED))
    nftables_table.describe(want, have)
    for line in nftables_table.script(want, have).splitlines():
        assert line.startswith(("\t", "}", "table inet l3")) or " inet l3" in line, line


class _Socket:
    """A socket that gives what was fuzzed, and ends."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = list(parts)

    def recv(self, _size: int) -> bytes:
        return self._parts.pop(0) if self._parts else b"\x14\0\0\0\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

    def send(self, _data: bytes) -> None: ...

    def close(self) -> None: ...


def _netlink(data: bytes) -> netlink.Netlink:
    made = netlink.Netlink.__new__(netlink.Netlink)
    made._socket = _Socket(data)  # type: ignore[assignment]
    return made


def messages(data: bytes) -> None:
    """Messages of netlink, whole: their heads, and what is in them."""
    for read in _READERS:
        with suppress(OSError), netlink.understood():
            read(_netlink(data))
    with suppress(OSError):
        _netlink(data).ask(1, b"")


def _routes(made: Any) -> None:
    for family in (2, 10):
        list(rtnetlink._routes(made, family, {1: "lo"}))


_READERS: list[Callable[[Any], object]] = [
    rtnetlink._links,
    lambda made: rtnetlink._addresses(made, {1: "lo"}),
    _routes,
    lambda made: list(proxy_neighbours._proxies(made, {1: "lo"})),
    lambda made: list(traffic_control._qdiscs(made, {1: "lo"})),
    lambda made: list(traffic_control._classes(made, 1)),
    lambda made: list(traffic_control._filters(made, 1, traffic_control.FIRST)),
]


def bodies(data: bytes) -> None:
    """The insides of one message, whose head is right."""
    made: Any = SimpleNamespace(dump=lambda _kind, _body: [data])
    for read in _READERS:
        with suppress(OSError), netlink.understood():
            read(made)


def open_vswitch(data: bytes) -> None:
    """What ovs-vsctl prints."""
    ovs.run = lambda _arguments: SimpleNamespace(stdout=_text(data))  # type: ignore[assignment,return-value]
    try:
        found = ovs.read()
    except CommandError:
        return
    for port in found.ports.values():
        mark(json.dumps(port.external_ids.get("netnode-l3")).encode())


def haproxy(data: bytes) -> None:
    """The configuration of the metadata proxy, of which lines stay."""
    for upstream in (None, Upstream("unix:/run/m", "unix@/run/m", None, "it is not there")):
        proxy = MetadataProxy(Options("bridge"), upstream, _text(data), True)
        proxy.render(proxy.lines)
        proxy.render({"r1": proxy.line("r1")})


def notes(data: bytes) -> None:
    """The file of known rules."""
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(data)
        known_rules.FILE = file.name
        known_rules._boot_id = lambda: "x"
        known = known_rules.KnownRules.on_node()
        known.usable = True
        beside = known.foreign_beside({}, Generation(1, 1))
        assert beside is None or all(isinstance(rule, str) for rule in beside)


def saved(data: bytes) -> None:
    """What was saved for the next boot, as a file of its own and with a checksum that fits, and the options in it."""
    text = _text(data)
    head = json.dumps({"format": saved_routers.FORMAT, "sha256": saved_routers._digest(text.rstrip("\n"))})
    for whole in (text, f"{head}\n{text}"):
        try:
            found = saved_routers.decode(whole)
            check_routers(list(found.routers.values()))
            parse_options(found.options)
        except (saved_routers.Unreadable, InvalidOption):
            continue


def flows(data: bytes) -> None:
    """The list of connections: what is deleted is of the addresses that were asked for."""

    def run(arguments: list[str], accept: object = None) -> Any:
        if "--delete" in arguments:
            assert arguments[-1] in ("203.0.113.20", "203.0.113.21") or arguments[-1].startswith("10.0.0.")
        return SimpleNamespace(stdout=_text(data), stderr="", returncode=0)

    def delete(flows: list[PortFlow]) -> None:
        assert all(flow.address == "203.0.113.30" and flow.message for flow in flows)

    conntrack.run = run  # type: ignore[assignment]
    conntrack.port_flows.delete = delete  # type: ignore[assignment]
    destinations = Destinations([Ports("tcp", "203.0.113.30", 1, 9)], ())
    conntrack.delete_flows_through(["203.0.113.20", "203.0.113.21"], destinations)
    conntrack.delete_untranslated_flows(["10.0.0.0/24"])


def mark(data: bytes) -> None:
    """A mark of a device is ours only with ids in it."""
    whose = owner(_text(data))
    assert whose is None or (ID.match(whose.router_id) and (whose.network_id is None or ID.match(whose.network_id)))


def radvd(data: bytes) -> None:
    """What a configuration says of a device is told of that device."""
    text = _text(data)
    assert without_mtu(text) <= subnets_of(text).keys()


def router_data(data: bytes) -> None:
    """Text of JSON, and the check of what it says."""
    try:
        checked = check_routers(json_text.parse(_text(data)))
    except (NotRouterData, ValueError):
        return
    for rejected in checked.rejected:
        assert all(error.startswith("routers[") or error.startswith("and ") for error in rejected.errors)


_LINK = b"\x30\0\0\0\x10\0\2\0\1\0\0\0\0\0\0\0\0\0\1\0\1\0\0\0\1\0\0\0\0\0\0\0\7\0\3\0lo\0\0\x08\0\4\0\xdc\5\0\0"
_FLOW = b"tcp 6 99 ESTABLISHED src=10.0.0.5 dst=203.0.113.20 sport=1 dport=2 src=203.0.113.1 dst=203.0.113.21 sport=2 dport=1\n"
_TABLES = (
    b'{"data":[["br-ex",["uuid","a"]]]}\n{"data":[[["uuid","a"],"qg-a",["set",[]]]]}\n{"data":[["qg-a",["map",[["k","v"]]]]]}\n'
)

PARSERS: dict[str, tuple[Callable[[bytes], None], Iterable[bytes]]] = {
    "iptables-save": (rules_of_iptables, [_SAVED]),
    "nft-list": (rules_of_nftables, [_LISTED]),
    "netlink-messages": (messages, [_LINK]),
    "netlink-bodies": (bodies, [_LINK[16:], b"\2\x18\0\0\xfe\4\0\1\0\0\0\0\x08\0\1\0\n\0\0\0\x08\0\5\0\n\0\0\1"]),
    "ovs-vsctl": (open_vswitch, [_TABLES]),
    "haproxy": (haproxy, [b"# upstream unix:/run/m\n    uid 7\n    gid 7\n    bind 0.0.0.0:9697 namespace qrouter-r1 name r1\n"]),
    "radvd": (radvd, [b"interface qr-a\n{\n    # subnet 2001:db8::/64 slaac 2001:db8::1\n    AdvLinkMTU 1500;\n};\n"]),
    "known-rules": (notes, [b'{"format":1,"boot":"x","namespaces":{"1":[1,"x",["rule"]]}}']),
    "saved-routers": (saved, [b'{"options":{"interface_driver":"bridge","vlan_tags":{}},"routers":[{"id":"r1"}]}']),
    "conntrack": (flows, [_FLOW, _FLOW.replace(b"dst=203.0.113.20", b"dst=203.0.113.30")]),
    "marks": (mark, [b"netnode.l3/r1/net"]),
    "router-data": (router_data, [b'[{"id":"r1","interfaces":[{"id":"p","addresses":["10.0.0.1/24"]}]}]']),
}


def main() -> None:
    """Fuzz the parser that is named first."""
    parser, seeds = PARSERS[sys.argv.pop(1)]
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds):
            Path(corpus, str(number)).write_bytes(seed)
        artifacts = f"-artifact_prefix={tempfile.gettempdir()}/fuzz-"
        atheris.Setup([*sys.argv, "-timeout=10", "-rss_limit_mb=1024", artifacts, corpus], parser)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
