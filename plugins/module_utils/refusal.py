# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Saying no."""

from __future__ import annotations


class Refused(Exception):
    """The run was refused before anything was touched; the message is the whole sentence."""
