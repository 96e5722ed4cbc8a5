# SPDX-License-Identifier: Apache-2.0
"""Settings of smart mapping: which fields are taken from elsewhere in the event.

Owns their names. Expressions are checked against a schema where they are compiled, before anything starts.
"""

import json
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from connector.settings.base import Area, refusal


def _holds_a_schema(path: Path) -> Path:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        what = f"cannot be read ({error.strerror})"
        raise refusal(what, "Check the path, and that the connector's user may read the file.") from None
    except ValueError:
        what = "does not hold JSON"
        raise refusal(what, "Give the Avro schema of the events (.avsc).") from None
    return path


class MappingSettings(Area):
    """Which fields are taken from elsewhere in the event."""

    fields: dict[str, str] = Field(
        default={},
        description="A JMESPath expression for each field that is not where the schema has it. The field is named as "
        "in the table of fields; the expression sees the event, or the product for a field of products[]. What it "
        "gives is the field's value, and null says that the field is absent.",
        examples=["{product_action.transaction_id: custom_attributes.order_number}"],
    )
    schema_file: Annotated[Path, AfterValidator(_holds_a_schema)] | None = Field(
        default=None,
        description="The Avro schema that expressions are checked against, where events carry fields of their own.",
        examples=["schemas/shop_event.avsc"],
    )
