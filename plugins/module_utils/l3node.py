# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command ``l3node``: the engine for who is logged in on a node, and for the node itself when it boots."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from typing import Any, Dict, List, Sequence

from .errors import UNFORESEEN, RunError, in_words
from .host.cancellation import heeded
from .host.command import CommandError
from .host.netns import Inaccessible
from .saved_routers import Unreadable
from .saved_run import NothingSaved, load, routers_of_node, run_saved

DONE, DIFFERS, UNUSABLE = 0, 1, 3  # exit statuses; 2 is argparse's
_ABOUT = """The routers of this network node, as the playbook netnode.l3.sync last converged them.

The exit status is 0 when all is as it was saved, 1 when something differs or failed, and 3 when what was saved cannot be used."""


def main(arguments: Sequence[str]) -> int:
    """Do what the command line says, and return the exit status."""
    parser = argparse.ArgumentParser(prog="l3node", description=_ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands.add_parser("status", help="say of each router whether it is as it was saved")
    commands.add_parser("plan", help="say what converge would do, and change nothing")
    converge = commands.add_parser("converge", help="put right what is not as it was saved; other routers are left alone")
    converge.add_argument("--lock-timeout", type=float, default=60.0, metavar="SECONDS", help="how long to wait for another run")
    export = commands.add_parser("export", help="print the routers of the node as JSON, which an inventory in YAML takes too")
    export.add_argument("--saved", action="store_true", help="those that were saved, rather than those that are there")
    chosen = parser.parse_args(arguments)
    if os.geteuid() != 0:
        return _complain("it needs root: sudo l3node %s" % chosen.command, DIFFERS)
    gc.disable()
    try:
        with heeded():
            return _do(chosen)
    except (NothingSaved, Unreadable) as reason:
        if isinstance(reason, Unreadable) or chosen.command == "export":  # what that prints goes into a file
            return _complain(str(reason), UNUSABLE)
        _say([str(reason)])
        return DONE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # who read it has read enough
        return DIFFERS
    except (RunError, CommandError, Inaccessible, *UNFORESEEN) as error:
        return _complain(in_words(error), DIFFERS)


def _complain(reason: str, status: int) -> int:
    sys.stderr.write("l3node: %s\n" % reason)
    return status


def _do(chosen: argparse.Namespace) -> int:
    if chosen.command == "export":
        routers = list(load().routers.values()) if chosen.saved else routers_of_node()
        _say([json.dumps({"l3_sync_routers": routers}, indent=2)])
        return DONE
    result = run_saved(check_mode=chosen.command != "converge", lock_timeout=getattr(chosen, "lock_timeout", 0.0))
    _say(_status(result) if chosen.command == "status" else _actions(result))
    done = not result["changed"] or chosen.command == "converge"
    return DONE if done and not result.get("failed") else DIFFERS


def _say(lines: List[str]) -> None:
    sys.stdout.write("".join(line + "\n" for line in lines))
    sys.stdout.flush()


def _status(result: Dict[str, Any]) -> List[str]:
    """A line for each router, and for the node."""
    lines = ["%d router%s, saved %s." % (len(result["routers"]), "" if len(result["routers"]) == 1 else "s", result["time"])]
    width = max((len(name) for name in [*(r["id"] for r in result["routers"]), *result["unsaved"], "node"]), default=0)
    for router in result["routers"]:
        lines.append("  %-*s  %s" % (width, router["id"], router.get("error") or _as_saved(len(router["actions"]))))
    lines += ["  %-*s  on the node and not saved: left alone" % (width, router_id) for router_id in result["unsaved"]]
    if result["node"]["actions"]:
        lines.append("  %-*s  %s" % (width, "node", _as_saved(len(result["node"]["actions"]))))
    return [*lines, *("warning: " + warning for warning in result["warnings"])]


def _as_saved(due: int) -> str:
    return "differs, %d change%s due: l3node plan" % (due, "" if due == 1 else "s") if due else "as saved"


def _actions(result: Dict[str, Any]) -> List[str]:
    """What was done, or would be, and then the figures."""
    lines = []
    for entry in [*result["routers"], {**result["node"], "id": ""}]:
        whose = "router %s" % entry["id"] if entry["id"] else "node"
        lines += ["%s: %s" % (whose, action) for action in entry["actions"]]
    return [*lines, *("warning: " + warning for warning in result["warnings"]), result["msg"]]
