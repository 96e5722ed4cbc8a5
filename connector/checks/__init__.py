# SPDX-License-Identifier: Apache-2.0
"""Whether everything that the connector needs is there and as it must be. Looks only; changes and creates nothing."""
