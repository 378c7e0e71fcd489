from azure.communication.chat import ChatMessageType, ChatParticipant

from support import EPOCH, all_of, foreign_user, just_after, refused, user_id, user_ids


async def test_participants_come_in_pages(person, thread):
    ada, ben, cleo, dan = await person("Ada"), await person("Ben"), await person("Cleo"), await person("Dan")
    _, view = await thread("Pages", ada, ben, cleo, dan)

    pages = [user_ids(await all_of(page)) async for page in view(ben).list_participants(results_per_page=2).by_page()]

    assert pages == [[ada.id, ben.id], [cleo.id, dan.id]]
    rest = await all_of(view(ben).list_participants(results_per_page=2, skip=3))
    assert user_ids(rest) == [dan.id]


async def test_participant_of_creation_shares_the_whole_history(person, thread):
    ada, ben = await person("Ada"), await person("Ben")
    _, view = await thread("History", ada, ben)
    assert [participant.share_history_time async for participant in view(ada).list_participants()] == [EPOCH, EPOCH]


async def test_newcomer_sees_only_what_is_new(person, thread):
    ada, ben, cleo = await person("Ada"), await person("Ben"), await person("Cleo")
    _, view = await thread("Newcomer", ada, ben)
    old = await view(ada).send_message("before")

    share_history_time = just_after(old.id)
    invalid = await view(ada).add_participants([cleo.participant(share_history_time=share_history_time)])
    assert invalid == []
    recent = await view(ben).send_message("after")

    message, added = await all_of(view(cleo).list_messages())
    assert message.id == recent.id
    assert message.content.message == "after"
    assert added.type == ChatMessageType.PARTICIPANT_ADDED
    assert user_ids(added.content.participants) == [cleo.id]
    assert user_id(added.content.initiator) == ada.id
    with refused(404):
        await view(cleo).get_message(old.id)

    participants = await all_of(view(cleo).list_participants())
    assert user_ids(participants) == [ada.id, ben.id, cleo.id]
    assert participants[2].display_name == "Cleo"
    assert participants[2].share_history_time.replace(microsecond=0) == share_history_time.replace(microsecond=0)


async def test_removed_participant_may_no_longer_take_part(person, thread):
    ada, ben, cleo = await person("Ada"), await person("Ben"), await person("Cleo")
    _, view = await thread("Removal", ada, ben, cleo)

    await view(ada).remove_participant(cleo.user)

    assert user_ids(await all_of(view(ada).list_participants())) == [ada.id, ben.id]
    with refused(403):
        await view(cleo).send_message("still here")
    with refused(403):
        await all_of(view(cleo).list_participants())

    latest = await anext(view(ben).list_messages())
    assert latest.type == ChatMessageType.PARTICIPANT_REMOVED
    assert user_ids(latest.content.participants) == [cleo.id]
    assert user_id(latest.content.initiator) == ada.id


async def test_adding_tells_which_participants_are_invalid(person, thread):
    ada, ben = await person("Ada"), await person("Ben")
    _, view = await thread("Invalid", ada)
    stranger = ChatParticipant(identifier=foreign_user())

    [(participant, error)] = await view(ada).add_participants([stranger, ben.participant()])

    assert participant is stranger
    assert (error.code, error.target) == ("403", user_id(stranger.identifier))
    assert user_ids(await all_of(view(ada).list_participants())) == [ada.id, ben.id]


async def test_adding_again_changes_nothing(person, thread):
    ada, ben = await person("Ada"), await person("Ben")
    _, view = await thread("Twice", ada, ben)
    assert await view(ada).add_participants([ben.participant()]) == []
    assert user_ids(await all_of(view(ada).list_participants())) == [ada.id, ben.id]
