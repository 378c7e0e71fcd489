from azure.communication.chat import ChatMessageType, ChatParticipant

from support import EPOCH, foreign_user, just_after, refused, user_id, user_ids


def test_participants_come_in_pages(person, thread):
    ada, ben, cleo, dan = person("Ada"), person("Ben"), person("Cleo"), person("Dan")
    _, view = thread("Pages", ada, ben, cleo, dan)

    pages = [user_ids(page) for page in view(ben).list_participants(results_per_page=2).by_page()]

    assert pages == [[ada.id, ben.id], [cleo.id, dan.id]]
    rest = view(ben).list_participants(results_per_page=2, skip=3)
    assert user_ids(rest) == [dan.id]


def test_participant_of_creation_shares_the_whole_history(person, thread):
    ada, ben = person("Ada"), person("Ben")
    _, view = thread("History", ada, ben)
    assert [participant.share_history_time for participant in view(ada).list_participants()] == [EPOCH, EPOCH]


def test_newcomer_sees_only_what_is_new(person, thread):
    ada, ben, cleo = person("Ada"), person("Ben"), person("Cleo")
    _, view = thread("Newcomer", ada, ben)
    old = view(ada).send_message("before")

    share_history_time = just_after(old.id)
    invalid = view(ada).add_participants([cleo.participant(share_history_time=share_history_time)])
    assert invalid == []
    recent = view(ben).send_message("after")

    message, added = view(cleo).list_messages()
    assert message.id == recent.id
    assert message.content.message == "after"
    assert added.type == ChatMessageType.PARTICIPANT_ADDED
    assert user_ids(added.content.participants) == [cleo.id]
    assert user_id(added.content.initiator) == ada.id
    with refused(404):
        view(cleo).get_message(old.id)

    participants = list(view(cleo).list_participants())
    assert user_ids(participants) == [ada.id, ben.id, cleo.id]
    assert participants[2].display_name == "Cleo"
    assert participants[2].share_history_time.replace(microsecond=0) == share_history_time.replace(microsecond=0)


def test_removed_participant_may_no_longer_take_part(person, thread):
    ada, ben, cleo = person("Ada"), person("Ben"), person("Cleo")
    _, view = thread("Removal", ada, ben, cleo)

    view(ada).remove_participant(cleo.user)

    assert user_ids(view(ada).list_participants()) == [ada.id, ben.id]
    with refused(403):
        view(cleo).send_message("still here")
    with refused(403):
        list(view(cleo).list_participants())

    latest = next(view(ben).list_messages())
    assert latest.type == ChatMessageType.PARTICIPANT_REMOVED
    assert user_ids(latest.content.participants) == [cleo.id]
    assert user_id(latest.content.initiator) == ada.id


def test_adding_tells_which_participants_are_invalid(person, thread):
    ada, ben = person("Ada"), person("Ben")
    _, view = thread("Invalid", ada)
    stranger = ChatParticipant(identifier=foreign_user())

    [(participant, error)] = view(ada).add_participants([stranger, ben.participant()])

    assert participant is stranger
    assert (error.code, error.target) == ("403", user_id(stranger.identifier))
    assert user_ids(view(ada).list_participants()) == [ada.id, ben.id]


def test_adding_again_changes_nothing(person, thread):
    ada, ben = person("Ada"), person("Ben")
    _, view = thread("Twice", ada, ben)
    assert view(ada).add_participants([ben.participant()]) == []
    assert user_ids(view(ada).list_participants()) == [ada.id, ben.id]
