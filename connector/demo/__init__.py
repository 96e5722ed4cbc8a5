# SPDX-License-Identifier: Apache-2.0
"""The demo: real events become orders on an embedded Kafka and a sandbox, and then the books are compared.

Owns a shop's events, the processes of the demo and the reconciliation. Imports nothing of the domain, the engine or
the Button client: what an order must be is worked out here a second time, so that a mistake is not made twice.
"""
