# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole state of a node in the kernel's own words, to compare before and after."""

from __future__ import annotations

import fcntl
import json
import re
import time

from sandbox import Node

_SETTLED_WITHIN = 10.0  # seconds
_COUNTERS = re.compile(r"\[\d+:\d+\]")
_LIFETIMES = ("valid_life_time", "preferred_life_time")  # where there are some, ip says "dynamic" as well
_VOLATILE = ("ifindex", "link_index", "link_netnsid", "qdisc", "operstate", "linkmode", "txqlen", "group", "link", "permaddr")


def snapshot(node: Node, namespaces: str = "*") -> dict[str, object]:
    """Namespace ("" is the node's own) -> links with addresses, routes, rules, parameters, policy rules.

    ``namespaces``: of those the names of which fit.
    """
    deadline = time.monotonic() + _SETTLED_WITHIN
    while True:
        text = node.run("/bin/sh", "-c", _READ, "sh", namespaces, *_SYSCTLS).stdout
        blocks = [block.split("\x02") for block in text.split("\x01")[1:]]
        if time.monotonic() > deadline or not any(_is_settling(links, routes) for _name, links, routes, *_parts in blocks):
            return {name: _namespace(*parts) for name, *parts in blocks}
        time.sleep(0.05)


def _is_settling(links: str, routes: str) -> bool:
    """Whether the kernel has still to make the routes of an IPv6 address, which it does later, by itself. Or has not told yet
    that the other end of a device is up again.
    """
    return any(
        "NO-CARRIER" in link["flags"] or any(_waits(address, routes) for address in link.get("addr_info", ()))
        for link in json.loads(links)
        if "LOWER_UP" in link.get("flags", ())
    )


def _waits(address: dict[str, object], routes: str) -> bool:
    if address.get("family") != "inet6" or address.get("dadfailed"):
        return False
    return bool(address.get("tentative")) or f"local {address['local']} " not in routes


# One process enters the node and reads all of it: \001 begins a namespace, \002 a part.
_READ = r"""
read='
    printf "\001%s\002" "$1"; shift
    ip -json address show; printf "\002"
    ip -details -oneline route show table all; printf "\002"
    iptables-save; printf "\002"
    ip6tables-save; printf "\002"
    nft --json --stateless list table inet l3 2>/dev/null && nft list tables; printf "\002"
    sysctl -n "$@" 2>/dev/null; printf "\002"
    ip rule; ip -6 rule; printf "\002"
    ip -6 neighbour show proxy
    grep -s . /proc/sys/net/ipv6/conf/q[gr]-*/proxy_ndp; printf "\002"
    for device in $(cd /proc/sys/net/ipv4/conf; ls -d qg-* l3-ifb 2>/dev/null); do
        for kind in "qdisc show" "class show" "filter show parent 1:" "filter show parent ffff:"; do
            tc $kind dev $device 2>/dev/null | sed "s/^/$device /"
        done
    done
'
names=$1; shift
/bin/sh -c "$read" sh "" "$@"
for file in /run/netns/$names; do
    [ -e "$file" ] && nsenter --net="$file" /bin/sh -c "$read" sh "${file##*/}" "$@"
done
exit 0
"""


# Whatever was made goes, and not by the engine, whose removal is under test.
_EMPTY = """
if [ -e /run/netnode-l3/metadata-proxy.pid ]; then kill -9 $(cat /run/netnode-l3/metadata-proxy.pid); fi
for file in /run/netnode-l3/radvd-*.pid; do if [ -e "$file" ]; then kill -9 $(cat "$file"); fi; done
rm -rf /run/netnode-l3
if [ -S /run/openvswitch/db.sock ]; then
    for bridge in $(ovs-vsctl list-br); do
        for port in $(ovs-vsctl list-ports "$bridge"); do ovs-vsctl del-port "$port"; done
    done
fi
for name in $(ls /run/netns); do ip netns delete "$name"; done
for link in $(ls /sys/class/net); do case $link in tap*|brq*|l3-*) ip link delete "$link" 2>/dev/null;; esac; done
for link in $(ls /sys/class/net); do case $link in tap*|brq*|l3-*) echo "$link";; esac; done
"""


def empty(node: Node) -> None:
    """Have a node as it was before the first run."""
    left = node.run("/bin/sh", "-c", _EMPTY).stdout
    assert left == "", left


# Namespaces that are deleted go later, one after the other, and their devices with them: the last one tells.
_MARKER = """
ip netns add marker && ip link add marker type veth peer name inner netns marker && ip netns delete marker
while [ -e /sys/class/net/marker ]; do sleep 0.005; done
"""


def settle(node: Node) -> None:
    """After a run that was killed: wait for its commands, which hold its lock, and for the kernel."""
    with node.file("/run/netnode-l3.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
    node.run("/bin/sh", "-c", _MARKER)


def differences(before: dict[str, object], after: dict[str, object], path: str = "") -> list[str]:
    """Where two snapshots differ, in lines."""
    lines = []
    for key in sorted(set(before) | set(after)):
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            lines += differences(old, new, f"{path}/{key}")
        elif isinstance(old, list) and isinstance(new, list):
            lines += [f"{path}/{key}: - {entry}" for entry in old if entry not in new]
            lines += [f"{path}/{key}: + {entry}" for entry in new if entry not in old]
        elif old != new:
            lines.append(f"{path}/{key}: {'only before' if new is None else 'only after' if old is None else f'{old} -> {new}'}")
    return lines


def _namespace(links: str, routes: str, rules: str, rules6: str, nft: str, sysctls: str, *more: str) -> dict[str, object]:
    policy_rules, proxies, traffic_control = more
    return {
        "links": sorted((_link(link) for link in json.loads(links)), key=str),
        # What the kernel makes for link-local addresses comes a second later, when nobody else was found to have them.
        "routes": sorted(line.strip() for line in routes.splitlines() if " fe80:" not in line and " ff00:" not in line),
        "rules": {"iptables-save": _tables(rules), "ip6tables-save": _tables(rules6), "nft": _nftables(nft)},
        "sysctls": sysctls.split(),
        "policy rules": policy_rules.splitlines(),
        "NDP proxies": sorted(line.strip() for line in proxies.splitlines()),
        "traffic control": sorted(map(_without_numbers, traffic_control.splitlines())),
    }


def _without_numbers(line: str) -> str:
    """A line of ``tc`` without what depends on what was there before: slots, and what the kernel numbers."""
    line = re.sub(r"(1:|prio |pref |qdisc bfifo |leaf |index |refcnt |ref |bind |packets_stat )[0-9a-f]+:?", r"\1N", line.strip())
    return re.sub(r"\b8[0-9a-f]{2}(::?[0-9a-f]*|(?= bkt))", "N", line)


def _tables(text: str) -> list[str]:
    """Rule sets without counters, and without tables in which nothing is but the policies they come with."""
    text = "\n".join(_COUNTERS.sub("", line) for line in text.splitlines() if not line.startswith("#"))
    tables = [table for table in text.split("COMMIT") if re.search(r"^-A|^:\S+ (?!ACCEPT)", table, re.MULTILINE)]
    return sorted(table.strip() for table in tables)


def _nftables(text: str) -> list[str]:
    """What is in our table of nftables, and, where there is one, which tables there are besides."""
    if not text:
        return []
    table, *tables = text.splitlines()
    parts = []
    for entry in json.loads(table)["nftables"]:
        [(kind, part)] = entry.items()
        part.pop("handle", None)
        part["elem"] = sorted(map(str, part.get("elem", ())))  # the kernel has them in the order of its hashes
        if kind != "metainfo":
            parts.append(f"{kind} {part}")
    rules = [part for part in parts if part.startswith("rule ")]  # in order
    return [*sorted(part for part in parts if part not in rules), str(rules), *sorted(tables)]


_SYSCTLS = (
    "net.ipv4.ip_forward",
    "net.ipv6.conf.all.forwarding",
    "net.ipv4.conf.all.arp_ignore",
    "net.ipv4.conf.all.arp_announce",
    "net.ipv4.conf.all.promote_secondaries",
    "net.netfilter.nf_conntrack_tcp_be_liberal",
    "net.ipv4.conf.qr-bbbb0000-we.forwarding",
)


def _is_made(address: dict[str, object]) -> bool:
    """Whether a run made it, and not the kernel by itself."""
    return address["scope"] != "link" or address["family"] == "inet" or address["local"] == "fe80::a9fe:a9fe"


def _link(link: dict[str, object]) -> dict[str, object]:
    kept: dict[str, object] = {key: value for key, value in link.items() if key not in _VOLATILE}
    if str(link["ifname"]).startswith(("br", "tap", "l3-ifb")):
        kept.pop("address", None)  # made up by the kernel
        kept["flags"] = "UP" in str(link["flags"])  # a bridge without ports has no carrier
    addresses = link["addr_info"]
    assert isinstance(addresses, list)
    kept["addr_info"] = sorted(str({k: v for k, v in a.items() if k not in _LIFETIMES}) for a in addresses if _is_made(a))
    return kept
