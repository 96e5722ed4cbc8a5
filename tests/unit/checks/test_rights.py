# SPDX-License-Identifier: Apache-2.0
"""How rights are judged by what the cluster says of them."""

from __future__ import annotations

from connector.checks.findings import Grade
from connector.checks.rights import rights_findings, session_findings
from connector.kafka.inspection import ClusterFacts, TopicFacts, Untold
from connector.settings import Settings, load

READ, WRITE = frozenset({"READ", "DESCRIBE"}), frozenset({"WRITE", "DESCRIBE"})
UNTOLD, DENIED = Untold("too old"), Untold("refused", is_denied=True)
REQUIRED = {"BUTTON_CONNECTOR__KAFKA__BOOTSTRAP_SERVERS": "a:1", "BUTTON_CONNECTOR__BUTTON__API_KEY": "sk-x"}

Rights = frozenset[str] | Untold


def facts(
    events: Rights = READ,
    sessions: Rights = READ,
    letters: Rights = WRITE,
    group: Rights = READ,
    session_timeout_ms: int | Untold = 45_000,
) -> ClusterFacts:
    """Return a cluster that grants this."""
    topics = {
        name: TopicFacts(1, 3, {}, rights)
        for name, rights in (
            ("commerce-events", events),
            ("session-attribution", sessions),
            ("button-connector-dead-letters", letters),
        )
    }
    return ClusterFacts(3, frozenset(topics), topics, group, UNTOLD, session_timeout_ms)


def settings(**given: str) -> Settings:
    """Return settings; a name is ``area__key``."""
    return load(None, REQUIRED | {f"BUTTON_CONNECTOR__{name.upper()}": value for name, value in given.items()})


def grades(cluster: ClusterFacts) -> dict[str, Grade]:
    """Return how each right is judged."""
    return {finding.subject: finding.grade for finding in rights_findings(settings(), cluster)}


def test_the_rights_that_are_needed_are_enough() -> None:
    """Reading both topics and the group, writing dead letters; nothing else is asked for."""
    assert set(grades(facts()).values()) == {Grade.OK}


def test_each_right_that_is_missing_is_named_with_its_setting() -> None:
    """READ where only WRITE is held, and the other way round."""
    assert grades(facts(events=WRITE))["kafka.topics"] is Grade.FAILED
    assert grades(facts(sessions=frozenset({"DESCRIBE"})))["sessions.topic"] is Grade.FAILED
    assert grades(facts(letters=READ))["dead_letters.topic"] is Grade.FAILED
    assert grades(facts(group=frozenset({"DESCRIBE"})))["kafka.group_id"] is Grade.FAILED
    (finding,) = [each for each in rights_findings(settings(), facts(letters=READ)) if each.grade is Grade.FAILED]
    assert finding.message == "the connector's user may not WRITE topic 'button-connector-dead-letters'"
    assert finding.remedy == "Allow the connector's user WRITE on topic 'button-connector-dead-letters'."


def test_what_the_brokers_refuse_is_missing_and_what_they_do_not_tell_is_not_known() -> None:
    """The one is held against the user, the other against nobody."""
    assert grades(facts(group=DENIED))["kafka.group_id"] is Grade.FAILED
    assert grades(facts(group=UNTOLD, events=UNTOLD)) == {
        "kafka.topics": Grade.UNKNOWN,
        "sessions.topic": Grade.OK,
        "dead_letters.topic": Grade.OK,
        "kafka.group_id": Grade.UNKNOWN,
    }


def test_the_session_is_compared_where_the_brokers_decide_it() -> None:
    """Only the consumer protocol has it so."""
    new = settings(kafka__group_protocol="consumer")
    assert list(session_findings(settings(), facts(session_timeout_ms=1))) == []
    found = [next(session_findings(new, facts(session_timeout_ms=ms))).grade for ms in (44_999, 45_000, UNTOLD)]
    assert found == [Grade.FAILED, Grade.OK, Grade.UNKNOWN]
