# SPDX-License-Identifier: Apache-2.0
"""The connector against a Kafka that demands proof of who it is, and grants rights one by one."""
