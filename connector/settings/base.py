# SPDX-License-Identifier: Apache-2.0
"""What every area of the settings has in common.

Owns the model's strictness, the types that several areas share, and the one way in which a field refuses a value.
Reads no file and no environment variable. A refusal never holds the value: whoever reports it knows which are secret.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

REFUSED = "refused_setting"
"""Pydantic's error type of every refusal that a field of ours makes itself."""

_TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}")


def refusal(what: str, remedy: str, *, key: str = "") -> PydanticCustomError:
    """Return the error that a validator raises: what is wrong with the value, and what to do.

    ``key`` names the setting within the area when the whole area is what is judged.
    """
    return PydanticCustomError(REFUSED, "{what}", {"what": what, "remedy": remedy, "key": key})


class Area(BaseModel):
    """A group of settings; refuses what it does not know, and never changes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def _is_not_a_disguised_number(cls, value: object, info: ValidationInfo) -> object:
        """Refuse true and false where a number is wanted; pydantic would take them for 1 and 0."""
        annotation = cls.model_fields[info.field_name or ""].annotation
        if isinstance(value, bool) and annotation in {int, float}:
            what = "is not a number"
            raise refusal(what, "Give a number.")
        return value


def _is_topic_name(name: str) -> str:
    if _TOPIC_NAME.fullmatch(name) is None or name in {".", ".."}:
        what = "is not a topic name"
        raise refusal(what, "Use 1 to 249 letters, digits, dots, underscores and hyphens.")
    return name


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _split(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Seconds = Annotated[float, Field(gt=0, le=86_400)]
Milliseconds = Annotated[int, Field(gt=0, le=86_400_000)]
TopicName = Annotated[str, AfterValidator(_is_topic_name)]
TopicNames = Annotated[tuple[TopicName, ...], BeforeValidator(_split), Field(min_length=1)]
"""A list in YAML; in an environment variable names with commas between them."""
AnyCase = BeforeValidator(_lower)
