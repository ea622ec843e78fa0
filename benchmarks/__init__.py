# SPDX-License-Identifier: Apache-2.0
"""Measurements, each a module with a ``run()`` that prints its figures."""
