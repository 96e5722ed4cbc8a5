# SPDX-License-Identifier: Apache-2.0
"""Settings: types, defaults, descriptions."""
