# SPDX-License-Identifier: Apache-2.0
"""All settings.

Owns the list of areas. Built in code it takes what it is given and nothing else; file and environment are ``load``'s.
"""

from pydantic import Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from connector.settings.avro import AvroSettings
from connector.settings.button import ButtonSettings
from connector.settings.dead_letters import DeadLettersSettings
from connector.settings.delivery import DeliverySettings
from connector.settings.kafka import KafkaSettings
from connector.settings.ledger import LedgerSettings
from connector.settings.log import LogSettings
from connector.settings.mapping import MappingSettings
from connector.settings.ops import OpsSettings
from connector.settings.policy import PolicySettings
from connector.settings.schema_registry import SchemaRegistrySettings
from connector.settings.sessions import SessionsSettings
from connector.settings.tables import TablesSettings
from connector.settings.tracing import TracingSettings


class Settings(BaseSettings):
    """Everything that can be set, by area."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    kafka: KafkaSettings = Field(description="The Kafka cluster and the consumer group.")
    schema_registry: SchemaRegistrySettings = Field(
        default=SchemaRegistrySettings(),
        description="The schema registry.",
    )
    avro: AvroSettings = Field(default=AvroSettings(), description="How events are read.")
    mapping: MappingSettings = Field(
        default=MappingSettings(),
        description="Fields that are taken from elsewhere in the event.",
    )
    policy: PolicySettings = Field(default=PolicySettings(), description="What may be told to Button, and how.")
    sessions: SessionsSettings = Field(default=SessionsSettings(), description="Attribution tokens by session.")
    ledger: LedgerSettings = Field(default=LedgerSettings(), description="What is remembered of orders.")
    tables: TablesSettings = Field(default=TablesSettings(), description="Copies of topics on this machine.")
    dead_letters: DeadLettersSettings = Field(default=DeadLettersSettings(), description="Dead letters.")
    button: ButtonSettings = Field(description="Button's Order API.")
    delivery: DeliverySettings = Field(default=DeliverySettings(), description="How events are delivered.")
    ops: OpsSettings = Field(default=OpsSettings(), description="Health and metrics.")
    log: LogSettings = Field(default=LogSettings(), description="The log.")
    tracing: TracingSettings = Field(default=TracingSettings(), description="Traces.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  the signature is pydantic-settings'
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003  as above
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take only what the constructor is given."""
        return (init_settings,)

    def describe(self) -> dict[str, object]:
        """Return every setting as plain JSON data, secrets masked."""
        return self.model_dump(mode="json")
