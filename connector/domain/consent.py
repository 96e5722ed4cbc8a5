# SPDX-License-Identifier: Apache-2.0
"""What the shopper's consent allows.

Owns the reading of consent: which answers count, and which consequence goes before which. An event that carries no
consent at all says nothing, and nothing follows from it. Only purchases are asked about: taking an order back tells no
more than its id, and an order that is not taken back is paid for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from connector.domain.policy import WithoutConsent

if TYPE_CHECKING:
    from collections.abc import Iterator

    from connector.domain.events import Consent
    from connector.domain.policy import Policy

_STRENGTH = {consequence: strength for strength, consequence in enumerate(WithoutConsent)}


class Verdict(NamedTuple):
    """What follows from an event's consent; ``reason`` is the stable name of what was declined, empty for nothing."""

    consequence: WithoutConsent
    reason: str


_ALLOWED = Verdict(WithoutConsent.IGNORE, "")


def judge(consent: Consent | None, policy: Policy) -> Verdict:
    """Return the strongest consequence of all that the shopper said."""
    if consent is None:
        return _ALLOWED
    return max(_verdicts(consent, policy), key=lambda verdict: _STRENGTH[verdict.consequence], default=_ALLOWED)


def _verdicts(consent: Consent, policy: Policy) -> Iterator[Verdict]:
    if consent.gdpr:
        for purpose, consequence in policy.gdpr.items():
            answers = [answer for name, answer in consent.gdpr.items() if _is_same(name, purpose)]
            if not answers:
                yield Verdict(policy.gdpr_not_asked, "consent_gdpr_not_asked")
            elif not all(answers):
                yield Verdict(consequence, "consent_gdpr")
    if consent.ccpa_opted_out:
        yield Verdict(policy.ccpa_opt_out, "consent_ccpa")


def _is_same(name: str, purpose: str) -> bool:
    """Return whether two names are the same purpose; a no must not be missed for the sake of a capital."""
    return name == purpose or name.strip().lower() == purpose.strip().lower()
