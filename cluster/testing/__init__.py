"""The pytest plugin: fixtures with a running lab, for the tests of clients, bots, components and servers."""
