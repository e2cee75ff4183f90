"""Tests of cluster.cli."""
