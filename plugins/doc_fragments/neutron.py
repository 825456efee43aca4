# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation that the plugins share which ask Neutron."""

from __future__ import annotations


class ModuleDocFragment:
    """How Neutron is reached: by its API, and by its message bus."""

    API = r"""
requirements:
  - openstacksdk and netaddr (Python libraries) on the controller
options:
  cloud:
    description:
      - The cloud in C(clouds.yaml); or a mapping with what an entry there has, such as C(auth_type) and C(auth).
      - When not given, it is taken from the variables C(OS_CLOUD) or C(OS_*) of the environment, as all of OpenStack's
        clients do.
      - The account must see all projects and agents, which by Neutron's own policy is an administrator.
    type: raw
  api_timeout:
    description: How many seconds a request may take.
    type: float
    default: 60
"""

    RPC = r"""
requirements:
  - oslo.messaging and netaddr (Python libraries) on the controller
options:
  transport_url:
    description:
      - Where the message bus is, as C(transport_url) in C(neutron.conf). It has a password, and is never shown.
      - One of O(transport_url) and O(config_file) is required.
    type: raw
  config_file:
    description:
      - A file such as C(neutron.conf), from which C(transport_url) is read when O(transport_url) is not given, and how the bus
        is used, for example the section C(oslo_messaging_rabbit).
    type: path
  rpc_timeout:
    description:
      - How many seconds Neutron may take to answer a call. When it takes longer, fewer routers are asked for at once.
    type: float
    default: 60
"""
