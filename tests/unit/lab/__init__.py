"""Tests of cluster.lab."""
