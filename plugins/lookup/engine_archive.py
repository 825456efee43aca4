# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup netnode.l3.engine_archive."""

from __future__ import annotations

DOCUMENTATION = r"""
name: engine_archive
short_description: The engine of the collection as one file, the command C(l3node)
version_added: 0.2.0
author:
  - The netnode.l3 contributors (@netnode)
description:
  - Makes an archive of the code that the modules run on a node, which Python on the node executes as the command C(l3node).
    The role P(netnode.l3.network_node#role) installs it.
  - The same code always makes the same file.
options: {}
"""

EXAMPLES = r"""
- name: Install the command l3node
  ansible.builtin.copy:
    src: "{{ lookup('netnode.l3.engine_archive').path }}"
    dest: /usr/local/sbin/l3node
    mode: "0755"
"""

RETURN = r"""
_raw:
  description: The archive.
  type: list
  elements: dict
  contains:
    path:
      description: The file on the controller, which is there until Ansible ends.
      type: str
    sha256:
      description: Its checksum.
      type: str
"""

from pathlib import Path
from typing import Any

from ansible import constants
from ansible.plugins.lookup import LookupBase

from ansible_collections.netnode.l3.plugins.plugin_utils.engine_archive import write_archive


class LookupModule(LookupBase):
    """The archive in the directory for temporary files of this run of Ansible."""

    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[dict[str, str]]:
        """Make it, unless it is there, and say where it is."""
        del terms, variables, kwargs
        path, digest = write_archive(Path(constants.DEFAULT_LOCAL_TMP))
        return [{"path": str(path), "sha256": digest}]
