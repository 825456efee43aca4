#!/usr/bin/python
# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module netnode.l3.l3_confirm."""

from __future__ import annotations

DOCUMENTATION = r"""
module: l3_confirm
short_description: Confirm a change of routers, or take it back
description:
  - After M(netnode.l3.l3_routers) with O(netnode.l3.l3_routers#module:confirm_timeout), the change waits on the node to be
    confirmed. This module confirms it, or has the node take it back at once.
  - Fails when no change waits, and says so when the last one was taken back already.
version_added: 0.1.0
author:
  - The netnode.l3 contributors (@netnode)
seealso:
  - module: netnode.l3.l3_routers
attributes:
  check_mode:
    support: full
    description: Tells whether a change waits, and would be taken back.
  diff_mode:
    support: none
    description: The diff of the change is that of M(netnode.l3.l3_routers).
  idempotent:
    support: none
    description: What was confirmed or taken back waits no longer.
  platform:
    platforms: linux
    support: full
    description: The routers are network namespaces.
options:
  state:
    description: What is to become of the change.
    type: str
    choices: [confirmed, taken_back]
    default: confirmed
"""

EXAMPLES = r"""
- name: Change routers, and look whether all is well
  block:
    - name: Make exactly these routers
      netnode.l3.l3_routers:
        interface_driver: bridge
        routers: "{{ l3_sync_routers }}"
        confirm_timeout: 60
      register: change

    - name: See whether the web page is still there
      ansible.builtin.uri:
        url: http://203.0.113.20/
      delegate_to: localhost

    - name: Confirm the change
      netnode.l3.l3_confirm:
      when: change.unconfirmed is defined
"""

RETURN = r"""
routers:
  description: What was done to take the change back, as M(netnode.l3.l3_routers) returns it.
  returned: O(state=taken_back)
  type: list
  elements: dict
why:
  description: Why it was taken back.
  returned: O(state=taken_back)
  type: str
msg:
  description: What became of the change.
  returned: always
  type: str
  sample: The change is confirmed.
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.netnode.l3.plugins.module_utils.confirm_run import run_confirm
from ansible_collections.netnode.l3.plugins.module_utils.module import run_module


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"state": {"type": "str", "choices": ["confirmed", "taken_back"], "default": "confirmed"}},
        supports_check_mode=True,
    )
    run_module(module, run_confirm)


if __name__ == "__main__":
    main()
