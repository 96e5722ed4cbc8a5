# SPDX-License-Identifier: Apache-2.0
"""A record that carries several events: mParticle's batch.

Owns which schema is a batch, and what its events inherit from it. What an event says itself is never overridden, and
what tells events apart (their ids, times and sessions) is never inherited.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from connector.avro.binding import consent_of, device_of, identities_of, name_of_device

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connector.avro.binding import Datum
    from connector.avro.converters import Convert
    from connector.avro.fields import Fields
    from connector.domain.events import CommerceEvent, Consent, Device

EVENTS = "events"


class Shared(NamedTuple):
    """What all events of a batch have in common."""

    mpid: str | None
    environment: str | None
    identities: Mapping[str, str]
    integration_attributes: Mapping[str, Mapping[str, str]]
    device: Device | None
    consent: Consent | None


def is_batch(root: Fields) -> bool:
    """Tell whether records of this writer are batches and not events."""
    return root.has(EVENTS) and not root.has("product_action")


def events_of(batch: Fields) -> Fields:
    """Return the fields of a batch's events."""
    return batch.rows(EVENTS) or batch.no_record(EVENTS)


def inherit(event: CommerceEvent, shared: Shared) -> CommerceEvent:
    """Return the event with what it does not say itself."""
    return event._replace(
        mpid=event.mpid or shared.mpid,
        environment=event.environment or shared.environment,
        identities=event.identities or shared.identities,
        integration_attributes=event.integration_attributes or shared.integration_attributes,
        device=event.device or shared.device,
        consent=event.consent or shared.consent,
    )


def bind_shared(batch: Fields) -> Convert[Shared]:
    """Return how what its events have in common is read from a batch."""
    mpid, environment = batch.text("mpid"), batch.text("environment")
    identities, device, consent = identities_of(batch), device_of(batch), consent_of(batch)
    integrations, device_name = batch.nested_attributes("integration_attributes"), name_of_device(batch)

    def convert(datum: Datum) -> Shared:
        of_batch = datum.get
        return Shared(
            mpid=mpid(of_batch("mpid")),
            environment=environment(of_batch("environment")),
            identities=identities(of_batch("user_identities")),
            integration_attributes=integrations(of_batch("integration_attributes")),
            device=device(of_batch(device_name)),
            consent=consent(of_batch("consent_state")),
        )

    return convert
