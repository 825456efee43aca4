# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module ``l3_probe``: looks whether routers do their work, and changes nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Dict, List, Mapping, Sequence

from .converge import observe_proxy, predict, require_node
from .health import Finding, behind_floating_ips, claimants, fixed_ips, gateways, judged
from .host import neighbours, netns, rtnetlink
from .host.known_rules import KnownRules
from .interface_drivers import interface_driver
from .interface_drivers.driver import InterfaceDriver
from .observe import Observer, observe_node, places
from .options import Options, parse_options
from .plan_node import plan_node
from .result import NAMED
from .state import RouterState

AT_ONCE = 64  # routers whose neighbours are asked at once: who does not answer is waited for


def run_probe(params: Mapping[str, Any], check_mode: bool, diff: bool) -> Dict[str, Any]:  # noqa: ARG001
    """Do what the module does; the same with and without check mode. Raises what :func:`module.run_module` turns to words."""
    options = parse_options(params)
    kind = interface_driver(options.interface_driver)
    require_node(options, kind.commands)
    driver = kind.on_node(options, observe_node())
    due: List[str] = []
    if params["routers"] is None:
        findings = _as_they_are(driver)
    else:
        findings, due = _compared(params["routers"], params["state"], options, driver)
    timeout = max(0.0, params["timeout"])
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        asked = list(pool.map(lambda finding: _with_answers(finding, timeout), findings))
    return _result([judged(finding) for finding in asked], due)


def _as_they_are(driver: InterfaceDriver) -> Sequence[Finding]:
    """The routers of the node, whatever they are to be."""
    found = Observer(driver, KnownRules.on_node()).observe(places(driver), {})
    return [
        Finding(place.router_id, state, place.namespace)
        if isinstance(state, RouterState)
        else Finding(place.router_id, errors=("cannot be read: %s" % state,))
        for place, state in found.items()
    ]


def _compared(data: object, state: str, options: Options, driver: InterfaceDriver) -> Any:
    """The routers that are given, and with the state ``overridden`` those on the node that are not; and what is due on the
    node that concerns no router.
    """
    proxy = observe_proxy(options, thorough=not data)
    observer = Observer(driver, KnownRules.on_node(), proxy.sockets, thorough=False)
    # Nothing is removed: however many there are too many, each is told.
    unlimited = replace(options, max_deletions=replace(options.max_deletions, limit=100, percent=True))
    plan = plan_node(data, state, unlimited, driver, proxy, observer)
    wanted = {router.id for router in plan.routers}
    outcome = predict(plan)
    findings = []
    for router in outcome.routers:
        errors = (router.error,) if router.error is not None else ()
        surplus = router.change.router_id not in wanted
        router_id, namespace = router.change.router_id, options.namespace_of(router.change.router_id)
        findings.append(Finding(router_id, router.change.before, namespace, router.actions, errors, surplus))
    findings += [Finding(rejected.id, due=(), errors=rejected.errors) for rejected in plan.rejected]
    return findings, list(outcome.actions)


def _with_answers(finding: Finding, timeout: float) -> Finding:
    """Ask the router's neighbours."""
    state = finding.state
    if not state.namespace or finding.surplus:
        return finding
    try:
        with netns.entered(finding.namespace):
            links = rtnetlink.read_links()
            paths = {fixed: rtnetlink.route_to(fixed, links) for fixed in fixed_ips(state)}
            asked = [*gateways(state), *behind_floating_ips(state, paths).values()]
            answered = neighbours.answering(asked, timeout) if asked else frozenset()
            claims = claimants(state)
            # Briefly: usually nobody answers, and is waited for.
            claimed = neighbours.sharing(claims, timeout / neighbours.TRIES) if claims else frozenset()
    except (netns.DeadNamespace, netns.Inaccessible, OSError) as error:
        return replace(finding, errors=(*finding.errors, "cannot be asked: %s" % error))
    return replace(finding, paths=paths, answered=answered, claimed=claimed)


def _result(routers: List[Dict[str, Any]], due: List[str]) -> Dict[str, Any]:
    ill = [router for router in routers if not router["healthy"]]
    gateways_asked = [gateway for router in routers for gateway in router["gateways"]]
    floating_ips = [floating_ip for router in routers for floating_ip in router["floating_ips"]]
    figures = {
        "routers": len(routers),
        "unhealthy": len(ill),
        "gateways": len(gateways_asked),
        "gateways_answering": sum(gateway["answers"] for gateway in gateways_asked),
        "floating_ips": len(floating_ips),
        "floating_ips_answering": sum(floating_ip["answers"] for floating_ip in floating_ips),
    }
    text = (
        "%(routers)d router%(plural)s: %(unhealthy)d unhealthy. %(gateways_answering)d of %(gateways)d gateways answer, and"
        " %(floating_ips_answering)d of the machines behind %(floating_ips)d floating IPs."
    )
    lines = ["router %s: %s" % (router["id"], "; ".join(router["reasons"])) for router in ill[:NAMED]]
    if len(ill) > NAMED:
        lines.append("and %d more, see routers in the result" % (len(ill) - NAMED))
    lines += ["node: a run would do this: %s" % "; ".join(due)] if due else []
    healthy = not ill and not due
    result = {
        "changed": False,
        "healthy": healthy,
        "routers": routers,
        "node": {"due": due},
        "figures": figures,
        "msg": "\n".join([text % {**figures, "plural": "" if len(routers) == 1 else "s"}, *lines]),
    }
    return result if healthy else {**result, "failed": True}
