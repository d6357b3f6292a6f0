"""Measurements, gates, results and the report."""
