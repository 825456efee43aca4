# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A table of nftables in the form of nft(8): read, compared, and written for ``nft --file``. Pure.

What is in the table is known by its kind and name (``chain prerouting``, ``map floating_ips``). Of each, the first line is what
it is, after a colon; the others are a chain's rules in order, or the elements of a set or map in the order of their text.
"""

from __future__ import annotations

import re
from typing import Dict, Iterable, List, Sequence, Tuple

from ..state import IPV6, Chains, Tables
from .driver import RuleChange

TABLE = "l3"
_NAME = "inet " + TABLE
_ELEMENT = re.compile(r'(?:[^",]|"[^"]*")+')
_ELEMENTS = "elements = {"
_OF_RANGE = re.compile(r'(.+ \. )\d+ comment "(\d+)-(\d+)" : (.+) \. (\d+)\Z')
_OPTIONS_OF_CHAINS = ("type ", "comment ")  # what in a chain is no rule
_OPTIONS_OF_TABLES = ("flags ", "comment ")
_PROTOCOLS = {"6": "tcp", "17": "udp", "33": "dccp", "132": "sctp"}
_PROTOCOL = re.compile(r"(?<= \. )(%s)(?= \. )" % "|".join(_PROTOCOLS))
_PROTOCOL_OF_HELPER = re.compile(r"(?<= protocol )(%s)\Z" % "|".join(_PROTOCOLS))


def parse_table(text: str) -> Tables:
    """Read what ``nft --stateless --numeric-priority --numeric-protocol list table`` printed."""
    parts: Dict[str, Tuple[str, ...]] = {}
    name, lines = "", []
    for line in _lines(text):
        if line.startswith("\t\t"):
            lines.append(line.strip())
        elif line == "\t}":
            parts[name] = _read_part(name, lines)
        elif line.startswith("\t") and line.endswith(" {"):
            name, lines = line[1:-2], []
        elif line.startswith("\t"):
            parts[line.strip()] = (":",)  # an option of the table
    return {TABLE: parts}


def _lines(text: str) -> Iterable[str]:
    """Lines, of which one that begins a comment with a line break in it is with the comment's end."""
    parts: List[str] = []
    quoted = False
    for part in text.split("\n"):
        parts.append(part)
        quoted ^= part.count('"') % 2 == 1
        if not quoted:
            yield "\n".join(parts)
            parts = []


def _read_part(name: str, lines: Sequence[str]) -> Tuple[str, ...]:
    if name.startswith("ct helper "):
        lines = [_PROTOCOL_OF_HELPER.sub(_name_of_protocol, line) for line in lines]
    if name.startswith("chain "):
        options = [line for line in lines if line.startswith(_OPTIONS_OF_CHAINS)]
        return (":" + "; ".join(options), *(line for line in lines if line not in options))
    first = next((number for number, line in enumerate(lines) if line.startswith(_ELEMENTS)), len(lines))
    text = " ".join(lines[first:])[len(_ELEMENTS) :].rpartition("}")[0]
    if any("inet_proto" in line for line in lines[:first]):
        text = _PROTOCOL.sub(_name_of_protocol, text)
    return (":" + "; ".join(lines[:first]), *sorted(element.strip() for element in _ELEMENT.findall(text) if element.strip()))


def _name_of_protocol(number: re.Match[str]) -> str:
    """As names are written. They are read as numbers, since by name nft tells only those in /etc/protocols, if there is one."""
    return _PROTOCOLS[number.group()]


def script(want: Tables, have: Tables) -> str:
    """What makes the difference in one transaction: single elements and the rules of chains; of all else, the whole table."""
    wanted, present = want.get(TABLE), have.get(TABLE)
    if wanted == present:
        return ""
    if present is not None and wanted is not None and _outline(wanted) == _outline(present):
        return "".join(line + "\n" for name in wanted for line in _edits(name, wanted[name], present[name]))
    return ("delete table %s\n" % _NAME if present is not None else "") + (_definition(wanted) if wanted is not None else "")


def _outline(parts: Chains) -> Dict[str, str]:
    return {name: lines[0] for name, lines in parts.items()}


def _edits(name: str, want: Sequence[str], have: Sequence[str]) -> Iterable[str]:
    kind, _space, plain = name.rpartition(" ")
    if want == have:
        return
    if kind == "chain":
        yield "flush chain %s %s" % (_NAME, plain)
        yield from ("add rule %s %s %s" % (_NAME, plain, rule) for rule in want[1:])
        return
    gone, added = _changed(have, want), _changed(want, have)
    if gone:
        keys = (element.partition(" : ")[0].partition(" comment ")[0] for element in gone)
        yield "delete element %s %s { %s }" % (_NAME, plain, ", ".join(keys))
    if added:
        yield "add element %s %s { %s }" % (_NAME, plain, ", ".join(added))


def _changed(these: Sequence[str], others: Sequence[str]) -> List[str]:
    known = set(others)
    return [line for line in these if line not in known]


def _definition(parts: Chains) -> str:
    lines = ["table %s {" % _NAME]
    for name, (head, *content) in parts.items():
        if name.startswith(_OPTIONS_OF_TABLES):
            lines.append("\t" + name)
            continue
        declared = [head[1:]] if head != ":" else []
        elements = [_ELEMENTS + " %s }" % ", ".join(content)] if content and not name.startswith("chain ") else content
        lines += ["\t%s {" % name, *("\t\t" + line for line in (*declared, *elements)), "\t}"]
    return "\n".join([*lines, "}"]) + "\n"


def removed_tables(tables: Iterable[Tuple[int, str]]) -> RuleChange:
    """What removes tables of iptables, given by address family and name."""
    text = "".join("delete table %s %s\n" % ("ip6" if family == IPV6 else "ip", name) for family, name in tables)
    return RuleChange(text, tuple("table %s%s removed" % (name, " (IPv6)" if family == IPV6 else "") for family, name in tables))


def describe(want: Tables, have: Tables) -> List[str]:
    """One sentence per change."""
    wanted, present = want.get(TABLE), have.get(TABLE, {})
    if wanted is None:
        return ["table %s removed" % TABLE] if present else []
    sentences = []
    for name in sorted({*wanted, *present}):
        sentences += _describe_part("%s of table %s" % (name, TABLE), name, wanted.get(name, ()), present.get(name, ()))
    return sentences


def _describe_part(place: str, name: str, want: Sequence[str], have: Sequence[str]) -> List[str]:
    what = "rule" if name.startswith("chain ") else "element"
    if want == have:
        return []
    if not want:
        return [place + " removed"]
    if not have or want[0] != have[0]:
        done = "created" if not have else "made anew"
        count = len(want) - 1
        return ["%s %s%s" % (place, done, " with %d %s%s" % (count, what, "" if count == 1 else "s") if count else "")]
    sentences = ["%s removed from %s: %s" % (what, place, line) for line in _with_ranges_joined(_changed(have, want))]
    sentences += ["%s added to %s: %s" % (what, place, line) for line in _with_ranges_joined(_changed(want, have))]
    return sentences or ["%ss of %s put in order" % (what, place)]


def _with_ranges_joined(lines: Iterable[str]) -> List[str]:
    """What is a port forwarding's range of ports, which can be tens of thousands of elements, in one."""
    joined: Dict[str, List[str]] = {}
    for line in lines:
        match = _OF_RANGE.match(line)
        joined.setdefault("%s%s-%s : %s" % match.groups()[:4] if match is not None else line, []).append(line)
    result = []
    for text, together in joined.items():
        match = _OF_RANGE.match(together[0])
        if match is None or len(together) < int(match[3]) - int(match[2]) + 1:
            result += together
        else:
            ports = sorted({int(line.rpartition(" ")[2]) for line in together})
            result.append("%s . %s" % (text, "-".join(map(str, sorted({ports[0], ports[-1]})))))
    return result
