"""The tests of a client library in a federated network; here slixmpp. Run them with `pytest examples`."""

import asyncio

import slixmpp


async def log_in(account):
    client = slixmpp.ClientXMPP(account.jid, account.password)
    client.ca_certs = account.ca_file
    client.enable_direct_tls = False
    client.connect(account.host, account.port)
    await client.wait_until("session_start", 10)
    client.send_presence()
    return client


def test_a_message_reaches_another_domain(xmpp_account, xmpp_trace):
    romeo, juliet = xmpp_account("montague.lit"), xmpp_account("capulet.lit")

    async def say() -> str:
        sender, receiver = await log_in(romeo), await log_in(juliet)
        sender.send_message(juliet.jid, "But, soft!")
        message = await receiver.wait_until("message", 10)
        await asyncio.gather(sender.disconnect(), receiver.disconnect())
        return message["body"]

    assert asyncio.run(say()) == "But, soft!"
    xmpp_trace.assert_delivered(romeo, juliet, within="500ms")


def test_a_message_to_nobody_comes_back(xmpp_account, xmpp_trace):
    romeo = xmpp_account("montague.lit")

    async def say() -> str:
        sender = await log_in(romeo)
        sender.send_message("nobody@capulet.lit", "Anon!")
        error = await sender.wait_until("message_error", 10)
        await sender.disconnect()
        return error["error"]["condition"]

    assert asyncio.run(say()) == "service-unavailable"
    xmpp_trace.assert_outcome("bounced", romeo, "nobody@capulet.lit", reason="no-account")
