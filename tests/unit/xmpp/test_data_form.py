"""Data forms as clients submit them (XEP-0004)."""

from __future__ import annotations

from cluster.xmpp import element as xml
from cluster.xmpp.extensions import data_form

SUBMITTED = b"""
<x xmlns='jabber:x:data' type='submit'>
  <field var='FORM_TYPE' type='hidden'><value>http://jabber.org/protocol/pubsub#node_config</value></field>
  <field var='pubsub#access_model' type='list-single' label='Who may subscribe and retrieve items'>
    <value>open</value>
    <option><value>open</value></option>
    <option label='contacts'><value>presence</value></option>
  </field>
  <field var='pubsub#roster_groups_allowed'><value>friends</value><value>Household</value></field>
  <field var='pubsub#title'><value/></field>
  <field var='pubsub#itemreply'><option><value>owner</value></option></field>
</x>
"""


def test_the_options_of_a_field_are_not_its_values() -> None:
    """Dino sends back the fields as it got them (section 3.3: the values of a field are its child elements)."""
    assert data_form.values(xml.parse(SUBMITTED)) == {
        "FORM_TYPE": ["http://jabber.org/protocol/pubsub#node_config"],
        "pubsub#access_model": ["open"],
        "pubsub#roster_groups_allowed": ["friends", "Household"],
        "pubsub#title": [""],
        "pubsub#itemreply": [],
    }
