# SPDX-License-Identifier: Apache-2.0
"""Button's Order API as a local server, and an embedded Kafka for the demo.

Imports nothing of the connector's own reading of that API, so that a mistake is not made twice.
"""

from connector.sandbox.faults import Fault, FaultRule
from connector.sandbox.request_log import RequestRecord
from connector.sandbox.server import Sandbox, SandboxOptions
from connector.sandbox.switches import SwitchError, Switches
from connector.sandbox.thread import SandboxThread
from connector.sandbox.views import OrderView

__all__ = [
    "Fault",
    "FaultRule",
    "OrderView",
    "RequestRecord",
    "Sandbox",
    "SandboxOptions",
    "SandboxThread",
    "SwitchError",
    "Switches",
]
