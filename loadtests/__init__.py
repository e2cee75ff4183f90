"""Load tests of a running lab, for locust."""
