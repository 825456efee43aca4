# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong with Neutron as the source."""

from __future__ import annotations


class NeutronError(Exception):
    """Neutron did not answer, or not with what can be used. The text says what was asked, and what to do; it has no
    credentials.
    """


def unknown_host(host: str) -> NeutronError:
    """Neutron has no L3 agent of a host."""
    return NeutronError(
        f"Neutron knows no L3 agent on host {host!r}: see `openstack network agent list --agent-type l3` for the names that it "
        "knows. The first report of a node makes it known."
    )
