# SPDX-License-Identifier: Apache-2.0
"""Settings of smart mapping: which fields are taken from elsewhere in the event.

Owns their names. Expressions are checked against a schema where they are compiled, before anything starts.
"""

from pathlib import Path

from pydantic import Field

from connector.settings.base import Area


class MappingSettings(Area):
    """Which fields are taken from elsewhere in the event."""

    fields: dict[str, str] = Field(
        default={},
        description="A JMESPath expression for each field that is not where the schema has it. The field is named as "
        "in the table of fields; the expression sees the event, or the product for a field of products[]. What it "
        "gives is the field's value, and null says that the field is absent.",
        examples=["{product_action.transaction_id: custom_attributes.order_number}"],
    )
    schema_file: Path | None = Field(
        default=None,
        description="The Avro schema that expressions are checked against, where events carry fields of their own.",
        examples=["schemas/shop_event.avsc"],
    )
