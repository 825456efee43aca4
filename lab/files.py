# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a machine of the lab has on its disk besides the packages: its keys, and its host's network configuration."""

from __future__ import annotations

import shutil
from pathlib import Path

from .plan import EXTERNAL_NETWORK, NODES, TENANT_BRIDGE, management_address

_UNITS = "etc/systemd/system"
_MANAGEMENT = """[Match]
Name=mg0

[Network]
Address={address}/24
"""
_TENANTS = {
    "tenants.netdev": f"[NetDev]\nName={TENANT_BRIDGE}\nKind=bridge\n",
    "tenants.network": f"[Match]\nName={TENANT_BRIDGE}\n\n[Network]\nLinkLocalAddressing=no\n",
    "tn0.network": f"[Match]\nName=tn0\n\n[Network]\nBridge={TENANT_BRIDGE}\nLinkLocalAddressing=no\n",
}
_OUTSIDE = "[Match]\nName=ex0\n\n[Network]\n" + "".join(f"Address={address}\n" for address in EXTERNAL_NETWORK)
# The bridge is made by the role network_node, the first time as at each boot; the uplink is plugged in by the host.
_UPLINK = """[Unit]
Description=Uplink of the external network

[Service]
ExecStart=/bin/sh -c 'ip link set dev ex0 up; until ip link set dev ex0 master br-ex 2>/dev/null; do sleep 0.1; done'

[Install]
WantedBy=multi-user.target
"""
_ENABLED = ("systemd-networkd.service",)
# Nobody asked for these, which come with their packages; what nodes need of them, they start themselves.
_DISABLED = ("haproxy.service", "radvd.service", "e2scrub_reap.service")


def write_files(root: Path, name: str, directory: Path) -> None:
    """Write the files of a machine below the root of its disk; ``directory`` has the keys of the run."""
    network = root / "etc/systemd/network"
    (network / "mg0.network").write_text(_MANAGEMENT.format(address=management_address(name)), encoding="utf-8")
    wanted = root / _UNITS / "multi-user.target.wants"
    if name in NODES:
        for file, text in _TENANTS.items():
            (network / file).write_text(text, encoding="utf-8")
        (root / _UNITS / "lab-uplink.service").write_text(_UPLINK, encoding="utf-8")
        (wanted / "lab-uplink.service").symlink_to(f"/{_UNITS}/lab-uplink.service")
    else:
        (network / "ex0.network").write_text(_OUTSIDE, encoding="utf-8")
    for unit in _ENABLED:
        (wanted / unit).symlink_to(f"/lib/systemd/system/{unit}")
    for unit in (*_DISABLED, *(("openvswitch-switch.service",) if name not in NODES else ())):
        (wanted / unit).unlink(missing_ok=True)
    (root / "etc/hostname").write_text(f"{name}\n", encoding="ascii")
    (root / "root/.ssh").mkdir(mode=0o700, exist_ok=True)
    shutil.copy(directory / "key.pub", root / "root/.ssh/authorized_keys")
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    for suffix in ("", ".pub"):
        shutil.copy(directory / f"host-key{suffix}", root / f"etc/ssh/ssh_host_ed25519_key{suffix}")
