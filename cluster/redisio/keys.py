"""The names of all keys and channels of a lab in Redis.

A domain in braces is the hash tag of Redis Cluster: the keys of a domain are in one slot.
"""

from __future__ import annotations

from typing import Protocol

import msgspec


class LinkKeys(Protocol):
    """The names of the links between ends of one type: domains, or the nodes of one domain."""

    @property
    def domains(self) -> str:
        """Set of the possible ends of links."""

    def link(self, to: str, from_: str) -> str:
        """Stream of the batches from one end to another; also the channel on which each is announced when it is
        written: id of the previous entry, its own, and its bytes or none."""

    def doorbell(self, to: str) -> str:
        """The doorbell: a channel on which an end is told which link has a new entry that nobody listens to, by the end
        it is from."""

    def peers(self, to: str) -> str:
        """Set of the ends that have ever opened a link to this one."""

    def proofs(self, end: str) -> list[tuple[str, str]]:
        """Sets, and the member that each must have if this end exists."""

    def kin(self, end: str) -> tuple[str, str]:
        """Set of the nodes of this end's domain, and the prefix of their names as ends."""


class Keys(msgspec.Struct, frozen=True):
    """The names of one lab; another lab in the same Redis has another prefix."""

    prefix: str

    @staticmethod
    def of_lab(name: str) -> Keys:
        """The names of the lab that the topology calls `name`."""
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

    def doorbell(self, to: str) -> str:
        """The doorbell: a channel on which a domain is told which link, by the other domain, has a new entry that
        nobody listens to."""
        return f"{self.prefix}:doorbell:{{{to}}}"

    def peers(self, to: str) -> str:
        """Set of the domains that have ever opened a link to this one."""
        return f"{self.prefix}:peers:{{{to}}}"

    def faults(self, to: str) -> str:
        """Hash of the faults of the links into a domain, by the other domain; also the channel on which changes are
        announced."""
        return f"{self.prefix}:faults:{{{to}}}"

    def lost(self, to: str) -> str:
        """Hash of the numbers of stanzas that faults have lost, by the other domain."""
        return f"{self.prefix}:lost:{{{to}}}"

    def proofs(self, end: str) -> list[tuple[str, str]]:
        """Sets, and the member that each must have if this domain, or this node of it, exists."""
        domain, _, node = end.partition("/")
        of_node = [(self.nodes(domain).domains, node)] if node else []
        return [(self.domains, domain), *of_node]

    def kin(self, end: str) -> tuple[str, str]:
        """Set of the domain's nodes, and the prefix of their names; the first one is known by the domain alone."""
        domain = end.partition("/")[0]
        return self.nodes(domain).domains, f"{domain}/"

    def accounts(self, domain: str) -> str:
        """Hash of the accounts: by localpart."""
        return f"{self.prefix}:store:{{{domain}}}:accounts"

    def seeded(self, domain: str) -> str:
        """Hash of the accounts that a start of the domain has created: by localpart, without values."""
        return f"{self.prefix}:store:{{{domain}}}:seeded"

    def by_account(self, domain: str) -> tuple[str, ...]:
        """Hashes with a field for each account, by localpart, which is removed with the account."""
        return self.accounts(domain), self.offline_bytes(domain)

    def of_account(self, domain: str, localpart: str) -> tuple[str, ...]:
        """The keys of one account alone, except its sessions."""
        kept = (
            self.roster, self.offline, self.documents, self.tokens, self.archive, self.archive_index, self.pubsub_bytes
        )  # fmt: skip
        return tuple(key(domain, localpart) for key in kept)

    def roster(self, domain: str, localpart: str) -> str:
        """Hash of one account's contacts: by bare JID."""
        return f"{self.prefix}:store:{{{domain}}}:roster:{localpart}"

    def offline(self, domain: str, localpart: str) -> str:
        """List of the messages that wait for one account, oldest first."""
        return f"{self.prefix}:store:{{{domain}}}:offline:{localpart}"

    def offline_bytes(self, domain: str) -> str:
        """Hash of the bytes that wait for each account: by localpart, and under an empty name for all of them."""
        return f"{self.prefix}:store:{{{domain}}}:offline-bytes"

    def documents(self, domain: str, localpart: str) -> str:
        """Hash of the documents of one account: by name."""
        return f"{self.prefix}:store:{{{domain}}}:documents:{localpart}"

    def tokens(self, domain: str, localpart: str) -> str:
        """Hash of the tokens of one account's clients: by the ids of those."""
        return f"{self.prefix}:store:{{{domain}}}:tokens:{localpart}"

    def archive(self, domain: str, localpart: str) -> str:
        """Hash of the archived messages of one account: by their ids."""
        return f"{self.prefix}:store:{{{domain}}}:archive:{localpart}"

    def archive_index(self, domain: str, localpart: str) -> str:
        """List of the index entries of those messages, oldest first."""
        return f"{self.prefix}:store:{{{domain}}}:archive-index:{localpart}"

    def pubsub(self, domain: str, owner: str) -> str:
        """Hash of the nodes of one account or service: by name; and of who has to do with each: by name, NUL, JID."""
        return f"{self.prefix}:store:{{{domain}}}:pubsub:{owner}"

    def pubsub_bytes(self, domain: str, owner: str) -> str:
        """Hash of how many bytes the items of each of those nodes have: by name, and under an empty one for all."""
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
        """Hash of the secrets that only the servers of a domain know: by name."""
        return f"{self.prefix}:store:{{{domain}}}:secrets"

    def sessions(self, domain: str) -> str:
        """Hash of the counts of sessions that can be resumed: by their SM-IDs."""
        return f"{self.prefix}:store:{{{domain}}}:sessions"

    def sessions_of(self, domain: str, localpart: str) -> str:
        """Hash of the records of one account's sessions: by their SM-IDs."""
        return f"{self.prefix}:store:{{{domain}}}:sessions:{localpart}"

    def session(self, domain: str, id: str) -> str:
        """Hash of the stanzas that a session was sent, by number, and of its receivers of directed presence."""
        return f"{self.prefix}:store:{{{domain}}}:session:{id}"

    def stream(self, domain: str, id: str) -> str:
        """Hash of how far a stream of another server is, by its SM-ID: whose it is, and what of it was handled."""
        return f"{self.prefix}:store:{{{domain}}}:stream:{id}"

    def gateway(self, domain: str, table: str) -> str:
        """Hash of one type of values of a gateway."""
        return f"{self.prefix}:store:{{{domain}}}:gateway:{table}"

    def nodes(self, domain: str) -> NodeKeys:
        """The names that the nodes of a domain share."""
        return NodeKeys(f"{self.prefix}:nodes:{{{domain}}}")

    def control(self, domain: str) -> str:
        """List of requests to the server of a domain, oldest first; also the channel that announces them."""
        return f"{self.prefix}:control:{{{domain}}}"

    def control_reply(self, domain: str, request_id: str) -> str:
        """List for the reply to one request."""
        return f"{self.prefix}:control:{{{domain}}}:reply:{request_id}"


class NodeKeys(msgspec.Struct, frozen=True):
    """The names that the nodes of one domain share: `LinkKeys` of the links between them, and the state of
    membership."""

    prefix: str

    @property
    def domains(self) -> str:
        """Set of all nodes that ever existed, each of which may be written to."""
        return f"{self.prefix}:known"

    @property
    def members(self) -> str:
        """Hash of the present members: the incarnation of each node."""
        return f"{self.prefix}:members"

    @property
    def beats(self) -> str:
        """Hash of the number of beats of each member."""
        return f"{self.prefix}:beats"

    @property
    def readers(self) -> str:
        """Hash of the readers: the member, by the name of a link or inbox."""
        return f"{self.prefix}:readers"

    @property
    def owners(self) -> str:
        """Hash of the owners: the member, by localpart."""
        return f"{self.prefix}:owners"

    @property
    def home(self) -> NodeKeys:
        """Of the inboxes that no heir reads."""
        return NodeKeys(f"{self.prefix}:home")

    @property
    def changes(self) -> str:
        """Channel on which the nodes announce changes of these hashes."""
        return f"{self.prefix}:changes"

    def link(self, to: str, from_: str) -> str:
        """Stream of the batches from one node to another, and the channel on which they are announced."""
        return f"{self.prefix}:link:{to}:{from_}"

    def doorbell(self, to: str) -> str:
        """The doorbell: a channel on which a node is told which other one wrote to it while nobody listened."""
        return f"{self.prefix}:doorbell:{to}"

    def peers(self, to: str) -> str:
        """Set of the nodes that have ever written to this one."""
        return f"{self.prefix}:peers:{to}"

    def proofs(self, end: str) -> list[tuple[str, str]]:
        """Sets, and the member that each must have if this node exists."""
        return [(self.domains, end)]

    def kin(self, end: str) -> tuple[str, str]:
        """Set of the nodes, whose names have no prefix."""
        return self.domains, ""
