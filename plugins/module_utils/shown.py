# Copyright (c) 2026, the netnode.l3 contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How values that somebody else wrote stand in messages: of any size and kind, a message stays short. Pure."""

from __future__ import annotations

from typing import List, Sequence

LONGEST = 60  # characters of a value that are shown
NAMED = 10  # of many things, how many are named one by one


def shown(value: object) -> str:
    """A value in a few words: text in quotes, as it begins; of what is nested, only its kind."""
    if value is None:
        return "nothing"
    if isinstance(value, (dict, list, tuple)):
        return "a %s" % ("mapping" if isinstance(value, dict) else "list")
    if isinstance(value, int) and value.bit_length() > 4 * LONGEST:  # Python itself refuses to write the longest
        return "a number of %d bits" % value.bit_length()
    text = repr(value[: LONGEST + 1] if isinstance(value, (str, bytes)) else value)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def listed(names: Sequence[str], separator: str = ", ") -> str:
    """Names one after the other; of many, the first and how many more there are."""
    more = [] if len(names) <= NAMED else ["%d more" % (len(names) - NAMED)]
    return separator.join(names[:NAMED]) + "".join(" and " + text for text in more)


class Complaints(List[str]):
    """What is wrong, in sentences, of which the first are kept and the others counted: data of millions of mistakes must not
    make a message of millions of lines.
    """

    KEPT = 20

    def __init__(self) -> None:
        super().__init__()
        self.more = 0

    def append(self, sentence: str) -> None:
        """Add one."""
        if len(self) < self.KEPT:
            super().append(sentence)
        else:
            self.more += 1

    @property
    def told(self) -> List[str]:
        """The sentences that are kept, and how many more there were."""
        return [*self, "and %d more errors" % self.more] if self.more else list(self)
