# SPDX-License-Identifier: Apache-2.0
"""One suite per port, run against every implementation of it, fakes included."""
