"""The names of all keys and channels of a lab in Redis.

A domain in braces is the hash tag of Redis Cluster: what belongs together stays in one slot.
"""

from __future__ import annotations

from typing import Protocol

import msgspec


class LinkKeys(Protocol):
    """The names of the links between ends of one sort: domains, or the nodes of one domain."""

    @property
    def domains(self) -> str:
        """Set of the ends that a link may lead to."""

    def link(self, to: str, from_: str) -> str:
        """Stream of the batches from one end to another; also the channel on which each is announced as it is written:
        id of the entry before, its own, and its bytes or none."""

    def bell(self, to: str) -> str:
        """Channel on which an end hears which link has something new that nobody listens to: the end it is from."""

    def peers(self, to: str) -> str:
        """Set of the ends that have ever opened a link to this one."""

    def proofs(self, end: str) -> list[tuple[str, str]]:
        """Sets, and what has to be in each of them, if there is such an end."""

    def kin(self, end: str) -> tuple[str, str]:
        """Set of the nodes of the domain that this end is or is part of, and what goes before the name of each where it
        is an end."""


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
        """Stream of the batches from one domain to another, and the channel on which they are announced."""
        return f"{self.prefix}:link:{{{to}}}:{from_}"

    def bell(self, to: str) -> str:
        """Channel on which a domain hears which link, from which domain, has something new and nobody who listens."""
        return f"{self.prefix}:bell:{{{to}}}"

    def peers(self, to: str) -> str:
        """Set of the domains that have ever opened a link to this one."""
        return f"{self.prefix}:peers:{{{to}}}"

    def faults(self, to: str) -> str:
        """Hash of the faults of the links into a domain, by the domain that a link is from; also the channel on which
        it is said that they changed."""
        return f"{self.prefix}:faults:{{{to}}}"

    def lost(self, to: str) -> str:
        """Hash of how many stanzas faults have lost, by the domain that a link is from."""
        return f"{self.prefix}:lost:{{{to}}}"

    def proofs(self, end: str) -> list[tuple[str, str]]:
        """Sets, and what has to be in each of them, if there is such a domain, or such a node of it."""
        domain, _, node = end.partition("/")
        of_node = [(self.nodes(domain).domains, node)] if node else []
        return [(self.domains, domain), *of_node]

    def kin(self, end: str) -> tuple[str, str]:
        """Set of the domain's nodes, and what goes before their names; the first one is known by the domain alone."""
        domain = end.partition("/")[0]
        return self.nodes(domain).domains, f"{domain}/"

    def accounts(self, domain: str) -> str:
        """Hash of the accounts: by localpart."""
        return f"{self.prefix}:store:{{{domain}}}:accounts"

    def seeded(self, domain: str) -> str:
        """Hash of the accounts that a start of the domain has made: by localpart, without values."""
        return f"{self.prefix}:store:{{{domain}}}:seeded"

    def by_account(self, domain: str) -> tuple[str, ...]:
        """Hashes with a field for each account, its localpart, which goes with it."""
        return self.accounts(domain), self.offline_bytes(domain)

    def of_account(self, domain: str, localpart: str) -> tuple[str, ...]:
        """What is kept of one account alone, apart from its sessions."""
        kept = self.roster, self.offline, self.documents, self.archive, self.archive_index, self.pubsub_bytes
        return tuple(key(domain, localpart) for key in kept)

    def roster(self, domain: str, localpart: str) -> str:
        """Hash of one account's contacts: by bare JID."""
        return f"{self.prefix}:store:{{{domain}}}:roster:{localpart}"

    def offline(self, domain: str, localpart: str) -> str:
        """List of the messages that wait for one account, oldest first."""
        return f"{self.prefix}:store:{{{domain}}}:offline:{localpart}"

    def offline_bytes(self, domain: str) -> str:
        """Hash of how many bytes wait for each account: by localpart, and under an empty name for all of them."""
        return f"{self.prefix}:store:{{{domain}}}:offline-bytes"

    def documents(self, domain: str, localpart: str) -> str:
        """Hash of the documents that one account keeps: by name."""
        return f"{self.prefix}:store:{{{domain}}}:documents:{localpart}"

    def archive(self, domain: str, localpart: str) -> str:
        """Hash of the archived messages of one account: by their ids."""
        return f"{self.prefix}:store:{{{domain}}}:archive:{localpart}"

    def archive_index(self, domain: str, localpart: str) -> str:
        """List of what those are found by, oldest first."""
        return f"{self.prefix}:store:{{{domain}}}:archive-index:{localpart}"

    def pubsub(self, domain: str, owner: str) -> str:
        """Hash of the nodes of one account or service: by name; and of who has to do with each: by name, NUL, JID."""
        return f"{self.prefix}:store:{{{domain}}}:pubsub:{owner}"

    def pubsub_bytes(self, domain: str, owner: str) -> str:
        """Hash of how many bytes the items of each of those nodes have: by name."""
        return f"{self.prefix}:store:{{{domain}}}:pubsub-bytes:{owner}"

    def pubsub_items(self, domain: str, owner: str, node: str) -> str:
        """Hash of the items of one node: by id."""
        return f"{self.prefix}:store:{{{domain}}}:pubsub-items:{owner}:{node}"

    def pubsub_order(self, domain: str, owner: str, node: str) -> str:
        """Sorted set of their ids: by the microsecond in which each was published."""
        return f"{self.prefix}:store:{{{domain}}}:pubsub-order:{owner}:{node}"

    def rooms(self, domain: str) -> str:
        """Hash of the rooms of a domain's service: by localpart, without values."""
        return f"{self.prefix}:store:{{{domain}}}:rooms"

    def room(self, domain: str, room: str) -> str:
        """Hash of what is kept of one room."""
        return f"{self.prefix}:store:{{{domain}}}:room:{room}"

    def room_archive(self, domain: str, room: str) -> str:
        """Hash of the archived messages of one room: by their ids."""
        return f"{self.prefix}:store:{{{domain}}}:room-archive:{room}"

    def room_archive_index(self, domain: str, room: str) -> str:
        """List of what those are found by, oldest first."""
        return f"{self.prefix}:store:{{{domain}}}:room-archive-index:{room}"

    def secrets(self, domain: str) -> str:
        """Hash of what only the servers of a domain know: by name."""
        return f"{self.prefix}:store:{{{domain}}}:secrets"

    def sessions(self, domain: str) -> str:
        """Hash of how far the sessions are that can be resumed: by their SM-IDs."""
        return f"{self.prefix}:store:{{{domain}}}:sessions"

    def sessions_of(self, domain: str, localpart: str) -> str:
        """Hash of what those of one account are: by their SM-IDs."""
        return f"{self.prefix}:store:{{{domain}}}:sessions:{localpart}"

    def session(self, domain: str, id: str) -> str:
        """Hash of the stanzas that one of them was sent, by their numbers, and of whom it told of its presence."""
        return f"{self.prefix}:store:{{{domain}}}:session:{id}"

    def gateway(self, domain: str, table: str) -> str:
        """Hash of one kind of thing that a gateway remembers."""
        return f"{self.prefix}:store:{{{domain}}}:gateway:{table}"

    def nodes(self, domain: str) -> NodeKeys:
        """What the nodes of a domain share."""
        return NodeKeys(f"{self.prefix}:nodes:{{{domain}}}")

    def control(self, domain: str) -> str:
        """List by which requests reach the server of a domain, oldest first; also the channel that says so."""
        return f"{self.prefix}:control:{{{domain}}}"

    def control_reply(self, domain: str, request_id: str) -> str:
        """List for the reply to one request."""
        return f"{self.prefix}:control:{{{domain}}}:reply:{request_id}"


class NodeKeys(msgspec.Struct, frozen=True):
    """The names of what the nodes of one domain share: `LinkKeys` of the links between them, and who is what."""

    prefix: str

    @property
    def domains(self) -> str:
        """Set of the nodes that there ever were, each of which may be written to."""
        return f"{self.prefix}:known"

    @property
    def members(self) -> str:
        """Hash of the nodes that serve the domain now: the incarnation of each."""
        return f"{self.prefix}:members"

    @property
    def beats(self) -> str:
        """Hash of how often each member has said that it is alive."""
        return f"{self.prefix}:beats"

    @property
    def readers(self) -> str:
        """Hash of who reads what: the member, by the name of a link or inbox."""
        return f"{self.prefix}:readers"

    @property
    def owners(self) -> str:
        """Hash of who has which account: the member, by localpart."""
        return f"{self.prefix}:owners"

    @property
    def changes(self) -> str:
        """Channel on which the nodes tell each other that one of these hashes changed."""
        return f"{self.prefix}:changes"

    def link(self, to: str, from_: str) -> str:
        """Stream of the batches from one node to another, and the channel on which they are announced."""
        return f"{self.prefix}:link:{to}:{from_}"

    def bell(self, to: str) -> str:
        """Channel on which a node hears which other one wrote to it, and has nobody who listens."""
        return f"{self.prefix}:bell:{to}"

    def peers(self, to: str) -> str:
        """Set of the nodes that have ever written to this one."""
        return f"{self.prefix}:peers:{to}"

    def proofs(self, end: str) -> list[tuple[str, str]]:
        """Sets, and what has to be in each of them, if there is such a node."""
        return [(self.domains, end)]

    def kin(self, end: str) -> tuple[str, str]:
        """Set of the nodes, which have nothing before their names."""
        return self.domains, ""
