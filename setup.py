"""Installs the topologies as a part of `cluster`: pyproject.toml cannot map a folder and search for packages too."""

from setuptools import find_packages, setup

TOPOLOGIES = {"cluster.topologies": "topologies", "cluster.topologies.scenarios": "topologies/scenarios"}

setup(packages=[*find_packages(include=["cluster*", "loadtests*"]), *TOPOLOGIES], package_dir=TOPOLOGIES)
