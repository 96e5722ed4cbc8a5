# SPDX-License-Identifier: Apache-2.0
"""Button's Order API as a local server, and an embedded Kafka for the demo."""
