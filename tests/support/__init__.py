# SPDX-License-Identifier: Apache-2.0
"""What several tests share: programs, services, ways to play and to compare."""
