import pytest

from cluster.trace.addresses import is_of


@pytest.mark.parametrize(
    ("wanted", "address", "is_one"),
    [
        ("", "romeo@montague.lit/pda", True),
        ("romeo@montague.lit", "romeo@montague.lit/pda", True),
        ("romeo@montague.lit/pda", "romeo@montague.lit/pda", True),
        ("romeo@montague.lit/pda", "romeo@montague.lit/home", False),
        ("romeo@montague.lit", "romeo@montague.lit", True),
        ("montague.lit", "romeo@montague.lit/pda", True),
        ("montague.lit", "montague.lit", True),
        ("montague.lit", "montague.lit/x@capulet.lit", True),
        ("capulet.lit", "montague.lit/x@capulet.lit", False),
        ("montague.lit", "romeo@sms.montague.lit", False),
        ("romeo@montague.lit", "romeo@montague.lit.example", False),
        ("romeo@montague.lit", "", False),
    ],
)
def test_an_address_is_of_a_client_an_account_or_a_domain(wanted: str, address: str, is_one: bool) -> None:
    assert is_of(wanted, address) is is_one
