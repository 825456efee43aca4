# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Network nodes and machines around them, made of private namespaces: for the demo, the tests and the benchmarks.

Nothing here touches the host's own network, and everything is gone when the process that made it ends.
"""

from .machine import Machine
from .metadata_server import MetadataServer
from .node import Node
from .openvswitch import OpenVSwitch
from .playbook import Play, run_playbook

__all__ = ["Machine", "MetadataServer", "Node", "OpenVSwitch", "Play", "run_playbook"]
