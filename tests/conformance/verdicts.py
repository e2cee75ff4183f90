"""Where servers differ: who is right by the text, for each test that one of them fails. Read by report.py."""

from __future__ import annotations

VERDICTS: dict[str, dict[str, str]] = {
    "test_streams": {
        "test_early_stanza_closes_the_stream": "the rule: 4.3.5 and 7.1 leave no choice; peers go on in silence",
        "test_address_of_a_client": "the rule: 7.7 and RFC 7622 3.3; ejabberd keeps the login's upper case",
        "test_missing_to": "a SHOULD that all three refuse: 4.7.2 wants 'to', and 4.9.3.7 allows the error",
        "test_the_end_of_both_sides": (
            "the rule: 4.4; ejabberd resets the connection under what the client still says, Prosody leaves it open"
        ),
        "test_unsupported_language": "the rule: 4.7.4; ejabberd mirrors a language that it does not speak",
    },
    "test_stream_errors": {
        "test_stanza_of_another_content_namespace": "the rule; 4.8.4's unsupported-stanza-type comes close",
        "test_unknown_content_namespace": "the rule: 4.8.3; Prosody takes the stream, ejabberd errs in name",
        "test_stream_prefix": "the rule: 4.8.5 names two conditions, ejabberd sends a third",
        "test_delivery_of_a_prefix_of_the_header": "the rule: ejabberd passes on XML that is not well-formed",
        "test_declaration_in_the_header": "a SHOULD: who declares it again in each stanza loses nothing",
        "test_from_for_an_unknown_host": "the rule: 4.9.1.3; peers take a name that is not theirs",
        "test_data_before_the_login": "the rule: 4.9.3.12; Prosody answers with a stanza error and goes on",
        "test_restricted_xml_closes_the_stream": "the rule: 11.1; ejabberd skips comments and instructions",
        "test_restricted_xml": "a SHOULD: not-well-formed ends the stream too, and says less",
        "test_declared_encoding_closes_the_stream": (
            "arguable: the bytes are UTF-8, only the declaration is not; XML 1.0 4.3.3 calls that fatal, ejabberd"
            " ignores it"
        ),
        "test_declared_encoding": "a SHOULD, and arguable as above",
    },
    "test_tls": {
        "test_failure": "the rule: 5.4.2.2 wants <failure/>; Prosody ends the stream with an error instead",
        "test_end_of_tls": "the rule: 4.4; ejabberd ends the connection without close_notify",
        "test_renegotiation": "the rule: 5.3.5; ejabberd neither renegotiates nor ends the connection",
        "test_injected_commands": "the rule: Prosody answers in the clear what came after <starttls/>",
        "test_order_of_mechanisms": "a SHOULD: Prosody lists PLAIN ahead of SCRAM",
        "test_from_of_the_header": "a SHOULD that none keeps",
        "test_scram_plus": (
            "the rule, for servers of today; these versions of the peers have no tls-exporter (RFC 9266), and TLS"
            " 1.3 no other"
        ),
    },
    "test_sasl": {
        "test_authzid_of_another": "the rule: 6.3.8; peers ignore the authorization identity in silence",
        "test_login_without_initial_response": "the rule: RFC 4422 5.1 wants an empty challenge; peers refuse",
        "test_too_many_retries": "the rule: 6.4.5 and 13.9.4; a hundred wrong passwords on one stream are no end",
        "test_number_of_retries": "the rule, as above",
        "test_condition_for_bad_base64": "the rule, of little weight: the login is refused either way",
        "test_bad_base64": "the rule: 13.9.1 refers to RFC 4648, which says MUST; peers skip what is no base64",
    },
    "test_bind": {
        "test_binding_to_a_removed_account": "the rule: 7.6.2.2; ejabberd binds a resource of an account that is gone",
        "test_stanza_before_binding": "the rule: 7.1; peers drop the stanza and leave the stream open",
        "test_nonconforming_resource_is_mended": "a choice: 7.7.2.1 allows bad-request beside the mending",
        "test_too_many_retries": "the rule: 7.7.3; ejabberd has no limit below a hundred",
        "test_number_of_retries": "the rule, as above",
    },
    "test_stanzas": {
        "test_types_of_conditions": "the rule for item-not-found (Prosody says modify); the others are kept there",
        "test_malformed_address": "the rule: 8.3.3.8 has a condition of its own, ejabberd says bad-request",
        "test_unknown_content": "the rule: ejabberd loses the namespace of a prefixed attribute",
    },
    "test_routing": {
        "test_iq_for_nobody": "the rule: 10.5.3.1; peers answer a ping for an account that does not exist",
        "test_too_many_recipients": "a SHOULD that none keeps by default",
    },
    "test_roster": {
        "test_subscription_is_not_a_clients_to_set": "the rule: 2.1.2.5 says ignore, ejabberd refuses",
        "test_number_of_items": "the rule for more than one; for none the text names no error",
        "test_roster_set_of_another": "the rule: 2.1.5 and 2.3.3 name forbidden; ejabberd and ours keep it",
        "test_who_is_not_interested": (
            "arguable: 2.2 says who gets pushes, not that others must not; ejabberd pushes to all resources"
        ),
        "test_duplicate_groups": "the rule: 2.3.3; Prosody takes them",
        "test_empty_group": "the rule: 2.3.3; Prosody takes it, ejabberd errs in the condition",
        "test_remove_nothing": "the rule: 2.5.3; ejabberd says that it was removed",
    },
    "test_subscriptions": {
        "test_request_that_got_lost": "a SHOULD of 3.1.2 that the peers do not keep",
        "test_approved": "a SHOULD: Prosody keeps pre-approvals and does not tell of them",
        "test_request": "the rule: 3.1.3 and 8.5.2.1.2; ejabberd writes the full JID into 'to'",
        "test_request_while_offline": "the rule: 3.1.3 keeps the whole stanza, ejabberd not its extension",
        "test_approval": "the rule: 3.1.6 has the stanza ahead of the push; ejabberd turns them round",
        "test_cancellation": "the rule: 3.2.3, as for approvals",
        "test_unsubscribe": "the rule: 3.3.3, as for approvals",
        "test_order_of_a_cancellation": "the rule: 3.2.2; Prosody sends unavailable after unsubscribed",
        "test_pre_approval": "the rule: Prosody pushes a pre-approval only within its own domain",
        "test_presence_behind_an_unsubscribe": "the rule: 3.3.3; Prosody lets the presence stand",
        "test_second_approval": "the rule: 3.4.2; Prosody sends the presence once more",
    },
    "test_presence": {
        "test_probe_of_a_full_jid": "the rule: 4.3.2; Prosody answers for all resources of a local account",
        "test_time_of_the_last_presence": "a SHOULD; who knows the time may tell it by XEP-0203",
        "test_probe_of_a_full_jid_is_answered_tersely": "a SHOULD: peers answer with the whole presence",
        "test_probe_of_who_is_away": "a SHOULD: ejabberd says nothing",
        "test_id_of_the_answer": "a SHOULD: peers do not mirror the id",
        "test_own_resources_see_unavailable_presence": "the rule: 4.5.2; ejabberd does not tell the sender",
        "test_probe_after_directed_presence": "a SHOULD that peers leave out",
        "test_bad_priority": "the rule: 4.7.2.3 ends at 127; peers take 128 for the highest",
    },
    "test_delivery": {
        "test_errors_for_friends": "a SHOULD: peers hand the message to another resource (see 8.5.3.2.1)",
        "test_presence": "the rule on 'to' (8.5.2.1.2), which ejabberd rewrites; it keeps the others here",
        "test_iq_of_a_stranger": "a SHOULD; peers deliver it too",
    },
    "test_messages": {
        "test_nobody": "the rule: table 1 ignores a headline for nobody, ejabberd returns it",
        "test_full_jid_that_is_gone": "the rule: 8.5.3.2.1 passes on only chat; peers pass on normal messages too",
    },
    "test_subscription_states": {
        "test_pending_in": "the rule: A.1; ejabberd loses the item for as long as the request waits",
        "test_cell": "the rule, in two cells of table 3 and 4 that ejabberd has otherwise",
    },
    "test_rooms": {
        "test_no_nickname": "the rule: 7.2.1 names the condition; Prosody says service-unavailable",
        "test_full": "the rule: 7.2.9; Prosody has no limit, ejabberd has another condition",
        "test_locked": "the rule: 7.2.10; ejabberd locks no room",
        "test_presence_of_a_stranger": "of version 1.32 and later, RECOMMENDED; the peers are older",
        "test_voice": "a SHOULD of 5.1.2: ejabberd gives everybody voice until that is configured away",
        "test_who_may_not_ban": "the rule: 9 names forbidden; peers say not-allowed",
        "test_last_owner": "the rule: 10.4 names conflict; ejabberd says not-allowed",
        "test_two_changes": "the rule: 17.4; ejabberd says not-allowed",
        "test_ghost": "an option of 11.1: ejabberd removes the ghost without a status",
        "test_disco_of_an_occupant": "the rule: 6.6 names bad-request; peers say not-acceptable, as of other requests",
    },
    "test_eventing": {
        "test_publication": "the rule; ejabberd asks what a client wants after the first event, which is lost then",
        "test_replyto": "a SHOULD of 4.3.1 that Prosody leaves out",
        "test_lost_access": "the rule: 7.1; ejabberd goes on to tell, Prosody has another condition (forbidden)",
        "test_presence_access": "the rule: 6.5.9.6; Prosody says forbidden for all that one may not read",
        "test_whitelist_access": "the rule: 6.5.9.8; Prosody says forbidden",
        "test_roster_access": "the rule: XEP-0163 5; Prosody 0.12 has no access model of that name",
        "test_notification": "a SHOULD: ejabberd gives notifications no id",
        "test_poisoned_hash": "the rule: 9.2; ejabberd 23.01 believes the liar (fixed in later versions)",
    },
    "test_pubsub": {
        "test_subscription_of_another": "the rule: 6.1.3.1; Prosody says forbidden",
        "test_own_affiliations": "a feature that is RECOMMENDED; Prosody does not have it",
        "test_condition_for_two_payloads": "a SHOULD that Prosody leaves out",
        "test_no_item": "the rule: 7.1.3.7; Prosody leaves out the condition of publish-subscribe",
        "test_unknown_options": "the rule: 7.1.5; Prosody takes options that nobody knows",
        "test_retraction_of_nothing": "the rule: 7.2.3.4; Prosody says item-not-found",
        "test_unknown_access_model": "the rule: 8.1.2; both have another condition, or leave out that of pubsub",
        "test_affiliations": "the rule: 8.9.1.2; Prosody's list leaves out the owner of the account",
        "test_last_owner": "the rule: 8.9.2.4; both take the affiliation away",
        "test_feature": "the rule: 9; both leave the feature out",
        "test_nodes_for_others": "the rule: XEP-0163 6.2; Prosody lists nodes to those who may not subscribe",
        "test_retraction": "the rule: 7.2.2.1; ejabberd tells nobody by default, whatever `notify` says",
        "test_deletion": "the rule: 8.4.2; ejabberd tells nobody by default",
        "test_purge": "the rule: 8.5.2; ejabberd tells nobody by default",
    },
    "test_s2s_initiating": {
        "test_domain_that_its_server_does_not_know": (
            "8.3.3.16 is for a domain that does not exist, and host-unknown says so, as XEP-0220 2.5 has it; peers say"
            " timeout, as 10.4.3 has it wherever streams cannot be negotiated"
        ),
    },
    "test_s2s_receiving": {
        "test_stream_of_a_client": "the rule: 4.8.3; Prosody opens a stream for it and waits",
        "test_end_of_a_stream_with_an_early_stanza": "the rule: 4.3.5; Prosody drops the stanza and waits",
        "test_condition_for_a_forged_sender": "the rule: 8.1.2.2 names the condition; Prosody says not-authorized",
        "test_improper_addressing": (
            "the rule: 8.1.1.2 and 8.1.2.2 name the condition; Prosody says host-unknown and not-authorized"
        ),
        "test_restricted_xml": "the rule: 11.1; ejabberd skips comments and instructions",
        "test_declaration_in_the_header": "the rule: ejabberd passes on XML that is not well-formed",
        "test_starttls_that_is_not_offered": "the rule: 5.4.2.2 wants <failure/>; Prosody sends a stream error",
        "test_unknown_stanza": "the condition is defined for it; ejabberd says nothing",
    },
    "test_s2s_stanzas": {
        "test_type_of_an_iq": "the rule: 8.2.3; Prosody has another condition, ejabberd says nothing",
    },
    "test_s2s_tls": {
        "test_stanza_before_tls": "the rule: 4.3.5; Prosody drops the stanza and waits",
    },
    "test_s2s_sasl": {
        "test_external_as_another": "the rule: 6.3.8; ejabberd takes the certificate's domain, whatever is asked for",
        "test_bad_base64": "the rule, of little weight: ejabberd does not read the identity",
        "test_certificates_with_flaws": (
            "the rule: RFC 6125 6.4.4; ejabberd 23.01 takes a common name where there is a dNSName for somebody else"
        ),
    },
    "test_s2s_sm": {
        "test_resumption": "the rule: XEP-0198 5; Prosody says that a stream may be resumed, and answers no <resume/>",
        "test_unknown_stream": "the rule, as for test_resumption",
    },
    "test_s2s_dialback": {
        "test_condition_for_an_invalid_key": "the rule: 2.1.1 names the condition; peers say remote-server-timeout",
        "test_end_of_a_stream_with_a_forged_key": "the rule: 2.2.1; peers leave the stream open",
        "test_unknown_target": "the rule: 2.2.1; Prosody ends the stream with host-unknown, as RFC 3920 had it",
        "test_condition_for_an_unknown_target": "the table of 2.5 names item-not-found; ejabberd says not-allowed",
        "test_authoritative_server_that_is_away": (
            "the table of 2.5 has conditions for it; Prosody keeps the other server waiting"
        ),
        "test_authoritative_server_that_hangs_up": "a SHOULD, as above",
        "test_error_of_the_authoritative_server": (
            "the rule: 2.5 names the condition; ejabberd passes on the one that came, Prosody says 'invalid'"
        ),
        "test_second_pair_that_fails": "the rule: 2.5; to Prosody an error is a verdict, 'invalid'",
        "test_question_for_an_unknown_domain": "the rule: 2.2.2; Prosody ends the stream with host-unknown",
        "test_condition_for_an_unknown_domain": "the table of 2.5; ejabberd says that the key is invalid",
    },
}
