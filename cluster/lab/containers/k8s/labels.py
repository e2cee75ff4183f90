"""The labels of the objects of a lab on Kubernetes, as it recommends them. Pure.

https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/
"""

from __future__ import annotations

_PREFIX = "app.kubernetes.io"
NAME = {f"{_PREFIX}/name": "xmpplab"}
"""Of all pods of all labs."""
INSTANCE = f"{_PREFIX}/instance"
"""The part."""


def of_lab(lab: str) -> dict[str, str]:
    """What all objects of a lab have."""
    return {**NAME, f"{_PREFIX}/part-of": lab, f"{_PREFIX}/managed-by": "xmpplab"}


def of_part(lab: str, part: str, component: str) -> dict[str, str]:
    """What the objects of a part have."""
    return {**of_lab(lab), INSTANCE: part, f"{_PREFIX}/component": component}


def chosen(part: str) -> dict[str, str]:
    """The labels by which the pods of a part are selected in the namespace of their lab; they never change."""
    return {**NAME, INSTANCE: part}
