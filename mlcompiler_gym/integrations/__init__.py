# SPDX-License-Identifier: Apache-2.0
"""Adapters to reinforcement-learning libraries, one file each.

A library is imported only by the file that is named after it.
"""
