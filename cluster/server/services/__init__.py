"""Services that live in the server, with addresses on a subdomain of it."""
