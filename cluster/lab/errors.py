"""What can go wrong with a lab, in words for its user."""


class LabError(Exception):
    """The lab cannot do it; the message says why and names the remedy."""


class BadInput(LabError):
    """What the user asked for makes no sense as it was written."""
