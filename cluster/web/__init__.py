"""The page: a lab in the browser, over the same facade as the commands."""

from cluster.web.serving import serve

__all__ = ["serve"]
