# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole state of a node in the kernel's own words, to compare before and after."""

from __future__ import annotations

import json
import re

from sandbox import Node

_COUNTERS = re.compile(r"\[\d+:\d+\]")
_VOLATILE = ("ifindex", "link_index", "link_netnsid", "qdisc", "operstate", "linkmode", "txqlen", "group", "link", "permaddr")


def snapshot(node: Node) -> dict[str, object]:
    """Namespace ("" is the node's own) -> links with addresses, routes, rules, parameters."""
    text = node.run("/bin/sh", "-c", _READ, "sh", *_SYSCTLS).stdout
    return {name: _namespace(*parts) for name, *parts in (block.split("\x02") for block in text.split("\x01")[1:])}


# One process enters the node and reads all of it: \001 begins a namespace, \002 a part.
_READ = r"""
read='
    printf "\001%s\002" "$1"; shift
    ip -json address show; printf "\002"
    ip -details -oneline route show table all; printf "\002"
    iptables-save; printf "\002"
    ip6tables-save; printf "\002"
    sysctl -n "$@" 2>/dev/null
'
/bin/sh -c "$read" sh "" "$@"
for file in /run/netns/*; do
    [ -e "$file" ] && nsenter --net="$file" /bin/sh -c "$read" sh "${file##*/}" "$@"
done
exit 0
"""


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


def _namespace(links: str, routes: str, rules: str, rules6: str, sysctls: str) -> dict[str, object]:
    return {
        "links": sorted((_link(link) for link in json.loads(links)), key=str),
        # What the kernel makes for link-local addresses comes a second later, when nobody else was found to have them.
        "routes": sorted(line.strip() for line in routes.splitlines() if " fe80:" not in line and " ff00:" not in line),
        "rules": {"iptables-save": _tables(rules), "ip6tables-save": _tables(rules6)},
        "sysctls": sysctls.split(),
    }


def _tables(text: str) -> list[str]:
    """Rule sets without counters, and without tables in which nothing is but the policies they come with."""
    text = "\n".join(_COUNTERS.sub("", line) for line in text.splitlines() if not line.startswith("#"))
    tables = [table for table in text.split("COMMIT") if re.search(r"^-A|^:\S+ (?!ACCEPT)", table, re.MULTILINE)]
    return sorted(table.strip() for table in tables)


_SYSCTLS = (
    "net.ipv4.ip_forward",
    "net.ipv6.conf.all.forwarding",
    "net.ipv4.conf.all.arp_ignore",
    "net.ipv4.conf.all.arp_announce",
    "net.ipv4.conf.all.promote_secondaries",
    "net.netfilter.nf_conntrack_tcp_be_liberal",
)


def _link(link: dict[str, object]) -> dict[str, object]:
    kept: dict[str, object] = {key: value for key, value in link.items() if key not in _VOLATILE}
    if str(link["ifname"]).startswith(("br", "tap")):
        kept.pop("address", None)  # made up by the kernel
        kept["flags"] = "UP" in str(link["flags"])  # a bridge without ports has no carrier
    addresses = link["addr_info"]
    assert isinstance(addresses, list)
    kept["addr_info"] = sorted(f"{a['local']}/{a['prefixlen']} {a.get('broadcast')}" for a in addresses if a["scope"] != "link")
    return kept
