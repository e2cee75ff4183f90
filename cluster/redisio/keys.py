"""The names of all keys and channels of a lab in Redis.

A domain in braces is the hash tag of Redis Cluster: what belongs together stays in one slot.
"""

from __future__ import annotations

import msgspec


class Keys(msgspec.Struct, frozen=True):
    """The names of one lab; another lab in the same Redis has another prefix."""

    prefix: str

    @staticmethod
    def of_lab(name: str) -> Keys:
        """The names of the lab that the topology calls so."""
        return Keys(f"xmpplab:{name}")

    @property
    def domains(self) -> str:
        """Set of the domains that the plan serves."""
        return f"{self.prefix}:domains"

    @property
    def journal(self) -> str:
        """Stream of the hops."""
        return f"{self.prefix}:journal"

    def link(self, to: str, from_: str) -> str:
        """Stream of the batches from one domain to another."""
        return f"{self.prefix}:link:{{{to}}}:{from_}"

    def bell(self, to: str) -> str:
        """Channel on which a domain hears which link has something new: the name of the domain it is from."""
        return f"{self.prefix}:bell:{{{to}}}"

    def peers(self, to: str) -> str:
        """Set of the domains that have ever opened a link to this one."""
        return f"{self.prefix}:peers:{{{to}}}"

    def accounts(self, domain: str) -> str:
        """Hash of the accounts: by localpart."""
        return f"{self.prefix}:store:{{{domain}}}:accounts"

    def roster(self, domain: str, localpart: str) -> str:
        """Hash of one account's contacts: by bare JID."""
        return f"{self.prefix}:store:{{{domain}}}:roster:{localpart}"

    def offline(self, domain: str, localpart: str) -> str:
        """List of the messages that wait for one account, oldest first."""
        return f"{self.prefix}:store:{{{domain}}}:offline:{localpart}"

    def documents(self, domain: str, localpart: str) -> str:
        """Hash of the documents that one account keeps: by name."""
        return f"{self.prefix}:store:{{{domain}}}:documents:{localpart}"

    def archive(self, domain: str, localpart: str) -> str:
        """Hash of the archived messages of one account: by their ids."""
        return f"{self.prefix}:store:{{{domain}}}:archive:{localpart}"

    def archive_index(self, domain: str, localpart: str) -> str:
        """List of what those are found by, oldest first."""
        return f"{self.prefix}:store:{{{domain}}}:archive-index:{localpart}"

    def secrets(self, domain: str) -> str:
        """Hash of what only the servers of a domain know: by name."""
        return f"{self.prefix}:store:{{{domain}}}:secrets"

    def gateway(self, domain: str, table: str) -> str:
        """Hash of one kind of thing that a gateway remembers."""
        return f"{self.prefix}:store:{{{domain}}}:gateway:{table}"

    def control(self, domain: str) -> str:
        """List by which requests reach the server of a domain, oldest first."""
        return f"{self.prefix}:control:{{{domain}}}"

    def control_reply(self, domain: str, request_id: str) -> str:
        """List for the reply to one request."""
        return f"{self.prefix}:control:{{{domain}}}:reply:{request_id}"
