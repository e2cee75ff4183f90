"""What pyproject.toml cannot say beside a search for packages: the topologies are installed as a part of `cluster`."""

from setuptools import find_packages, setup

TOPOLOGIES = {"cluster.topologies": "topologies", "cluster.topologies.scenarios": "topologies/scenarios"}

setup(packages=[*find_packages(include=["cluster*", "loadtests*"]), *TOPOLOGIES], package_dir=TOPOLOGIES)
