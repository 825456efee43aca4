# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""``python -m lab up`` boots the lab, unless it runs, and says how to use it, ``python -m lab down`` ends it."""

from __future__ import annotations

import sys
from pathlib import Path

from .lab import Lab
from .machine import LabFailed
from .plan import CHECKOUT, CONTROLLER, EXTERNAL_NETWORK, MACHINES

DIRECTORY = CHECKOUT / ".cache" / "lab" / "running"
_SAID = """The lab is there: the network nodes node1 and node2, and the host outside, which has {external}.
{ways}

Run the playbook on the nodes, with the routers of lab/routers.yml, or of a copy of it that you have changed:
  .venv/bin/ansible-playbook -i {inventory} -i lab/routers.yml netnode.l3.sync

The controller has {controller} where the lab's networks are. Machines of tenants can be made there, on the bridge br-tn, as
docs/development.md shows:
  {inside}

End it: make lab-down"""


def main(wish: str) -> str | None:
    """Do what is wished, and return what failed."""
    lab = Lab(DIRECTORY)
    try:
        if wish == "up":
            if lab.pid() is None:
                lab.start(stays=True)
            print(_said(lab))
        else:
            lab.stop()
            print("The lab is gone.")
    except LabFailed as failure:
        return str(failure)
    return None


def _said(lab: Lab) -> str:
    here = Path.cwd()
    ssh, inventory = (path.relative_to(here) if path.is_relative_to(here) else path for path in (lab.ssh, lab.inventory))
    return _SAID.format(
        external=" and ".join(EXTERNAL_NETWORK),
        ways="\n".join(f"  {ssh} {name}" for name in MACHINES),
        inventory=inventory,
        controller=CONTROLLER,
        inside=" ".join(lab.in_network("bash")),
    )


if __name__ == "__main__":
    if sys.argv[1:] not in (["up"], ["down"]):
        sys.exit("usage: python -m lab up|down")
    sys.exit(main(sys.argv[1]))
