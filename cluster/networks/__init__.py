"""The foreign networks of a lab: a message centre with phones, a mail host with mailboxes."""
