# SPDX-License-Identifier: Apache-2.0
"""Settings: types, defaults, descriptions, and how they are read.

``load`` reads a file and the environment; ``Settings`` built in code takes what it is given. Adapters are handed small
option classes made from these, never the settings themselves.
"""

from connector.settings.avro import AvroSettings
from connector.settings.button import ButtonSettings
from connector.settings.checks import CLOSE_MARGIN_SECONDS, DRAIN_MARGIN_SECONDS, Sum, contradictions, sums
from connector.settings.dead_letters import DeadLettersSettings
from connector.settings.delivery import DeliverySettings
from connector.settings.kafka import KafkaSettings
from connector.settings.ledger import LedgerSettings
from connector.settings.load import Loaded, load, load_with_origins
from connector.settings.log import LogSettings
from connector.settings.mapping import MappingSettings
from connector.settings.ops import OpsSettings
from connector.settings.policy import PolicySettings
from connector.settings.problems import Problem, SettingsError
from connector.settings.root import Settings
from connector.settings.schema_registry import SchemaRegistrySettings
from connector.settings.sessions import SessionsSettings
from connector.settings.tracing import TracingSettings

__all__ = [
    "CLOSE_MARGIN_SECONDS",
    "DRAIN_MARGIN_SECONDS",
    "AvroSettings",
    "ButtonSettings",
    "DeadLettersSettings",
    "DeliverySettings",
    "KafkaSettings",
    "LedgerSettings",
    "Loaded",
    "LogSettings",
    "MappingSettings",
    "OpsSettings",
    "PolicySettings",
    "Problem",
    "SchemaRegistrySettings",
    "SessionsSettings",
    "Settings",
    "SettingsError",
    "Sum",
    "TracingSettings",
    "contradictions",
    "load",
    "load_with_origins",
    "sums",
]
