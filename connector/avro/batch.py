# SPDX-License-Identifier: Apache-2.0
"""A record that carries several events: mParticle's batch.

Owns which schema is a batch, and what its events inherit from it. What an event says itself is never overridden, and
what tells events apart (their ids, times and sessions) is never inherited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from connector.avro.binding import consent_of, device_of, identities_of
from connector.avro.shapes import Inner, Part, Shape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connector.avro.fields import Fields
    from connector.domain.events import CommerceEvent, Consent, Device

EVENTS = "events"


class Batch(NamedTuple):
    """What all events of a batch have in common, and the events."""

    mpid: str | None
    environment: str | None
    identities: Mapping[str, str]
    integration_attributes: Mapping[str, Mapping[str, str]]
    device: Device | None
    consent: Consent | None
    events: Sequence[CommerceEvent]


def is_batch(root: Fields) -> bool:
    """Tell whether records of this writer are batches and not events."""
    return root.has(EVENTS) and not root.has("product_action")


def events_of(batch: Fields) -> Fields:
    """Return the fields of a batch's events."""
    return batch.rows(EVENTS) or batch.no_record(EVENTS)


def shared_of(batch: Fields) -> dict[str, Part]:
    """Return where what its events have in common is in a batch."""
    return {
        "mpid": Part(("mpid",), batch.text("mpid")),
        "environment": Part(("environment",), batch.text("environment")),
        "identities": identities_of(batch),
        "device": device_of(batch),
        "consent": consent_of(batch),
        "integration_attributes": Part(
            ("integration_attributes",),
            batch.nested_attributes("integration_attributes"),
        ),
    }


def with_events(shared: dict[str, Part], event: Shape) -> Shape:
    """Return what records become as batches of such events."""
    return Shape(Batch, {**shared, "events": Part((EVENTS,), lambda events: events or (), Inner(event, "array"))})


def inherit(event: CommerceEvent, batch: Batch) -> CommerceEvent:
    """Return the event with what it does not say itself."""
    return event._replace(
        mpid=event.mpid or batch.mpid,
        environment=event.environment or batch.environment,
        identities=event.identities or batch.identities,
        integration_attributes=event.integration_attributes or batch.integration_attributes,
        device=event.device or batch.device,
        consent=event.consent or batch.consent,
    )
