"""Tests of cluster.topology."""
