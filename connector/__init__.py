# SPDX-License-Identifier: Apache-2.0
"""A Kafka sink that tells Button of every order, once, in order."""
