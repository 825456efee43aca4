# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two network nodes and a host outside as real machines: Debian with systemd, which boot, are reached by ssh, and lose power.

Nothing of the host's own network is used, and everything is gone when the lab's first process ends.
"""

from .lab import Lab
from .machine import LabFailed, Machine
from .tenant_machine import TenantMachine

__all__ = ["Lab", "LabFailed", "Machine", "TenantMachine"]
