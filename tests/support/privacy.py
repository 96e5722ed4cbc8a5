# SPDX-License-Identifier: Apache-2.0
"""Values that nobody but their owner may see, and where they are looked for.

Owns the marks and their disguises. A search that finds nothing proves something only where the marks really went in,
so whoever uses this shows that, too.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EMAIL = "Mona.Marksdottir@Example.com"
CUSTOMER = "customer-7f3a91"
MPID = -7346244611012968789
IDFA = "6D92078A-8246-4BA4-AE5B-76104861E7DC"
PHONE = "+4915112345678"
NAME = "Mona Marksdottir"
ADDRESS = "17 Marksdottir Lane"

PERSONAL = {
    "e-mail": EMAIL,
    "customer id": CUSTOMER,
    "user id": str(MPID),
    "device id": IDFA,
    "phone": PHONE,
    "name": NAME,
    "address": ADDRESS,
}


def found_in(text: str, marks: Mapping[str, str]) -> list[str]:
    """Return the names of the marks that the text holds in any disguise."""
    folded = text.lower()
    return [
        name
        for name, mark in marks.items()
        if any(seen in folded for seen in _plain_forms(mark)) or any(seen in text for seen in _base64_forms(mark))
    ]


def _plain_forms(mark: str) -> Iterator[str]:
    for form in (mark, mark.strip().lower()):
        digest = hashlib.sha256(form.encode())
        yield from (
            form.lower(),
            quote(form, safe="").lower(),
            quote_plus(form).lower(),
            html.escape(form).lower(),
            form.replace("@", "&#64;").lower(),
            json.dumps(form)[1:-1].lower(),
            form.encode().hex(),
            digest.hexdigest(),
            base64.b64encode(digest.digest()).decode().lower(),
        )


def _base64_forms(mark: str) -> Iterator[str]:
    """Yield what stands in any text that has the mark somewhere within what was encoded."""
    for before in range(3):
        encoded = base64.b64encode(b" " * before + mark.encode()).decode().rstrip("=")
        # The first and the last digits depend on what stands beside the mark.
        yield encoded[(0, 2, 3)[before] :][:-1]
