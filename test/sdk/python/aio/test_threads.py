import uuid

from azure.communication.chat import ChatMessageType, ChatParticipant

from support import (
    THREAD_ID,
    all_of,
    assert_about,
    foreign_user,
    now,
    refused,
    seconds,
    user_id,
    user_ids,
)


async def test_create_thread_with_two_participants(person):
    ada, ben, cleo = await person("Ada"), await person("Ben"), await person("Cleo")
    created = await ada.chat.create_chat_thread(
        "Launch",
        thread_participants=[ben.participant(), cleo.participant()],
        idempotency_token=str(uuid.uuid4()),
    )

    properties = created.chat_thread
    assert THREAD_ID.fullmatch(properties.id)
    assert properties.topic == "Launch"
    assert user_id(properties.created_by) == ada.id
    assert_about(now(), properties.created_on)
    assert not created.errors

    async with ada.chat.get_chat_thread_client(properties.id) as client:
        participants = await all_of(client.list_participants())
    assert user_ids(participants) == [ada.id, ben.id, cleo.id]
    assert [participant.display_name for participant in participants] == [None, "Ben", "Cleo"]


async def test_same_idempotency_token_gives_the_same_thread(person):
    ada, ben = await person("Ada"), await person("Ben")

    async def create(token):
        participants = [ben.participant()]
        created = await ada.chat.create_chat_thread("Once", thread_participants=participants, idempotency_token=token)
        return created.chat_thread

    token = str(uuid.uuid4())
    first, again, other = await create(token), await create(token), await create(str(uuid.uuid4()))

    assert again.id == first.id
    assert again.created_on == first.created_on
    assert other.id != first.id
    assert {item.id async for item in ada.chat.list_chat_threads()} == {first.id, other.id}


async def test_participant_of_another_resource_is_invalid(person):
    ada, ben = await person("Ada"), await person("Ben")
    stranger = ChatParticipant(identifier=foreign_user(), display_name="Nobody")
    created = await ada.chat.create_chat_thread("Guests", thread_participants=[ben.participant(), stranger])

    [(participant, error)] = created.errors
    assert participant is stranger
    assert error.code == "403"
    assert error.target == user_id(stranger.identifier)
    assert error.message == "Permissions check failed"
    async with ada.chat.get_chat_thread_client(created.chat_thread.id) as client:
        assert user_ids(await all_of(client.list_participants())) == [ada.id, ben.id]


async def test_list_of_threads_holds_the_users_threads(person, thread):
    ada, ben = await person("Ada"), await person("Ben")
    shared, _ = await thread("Shared", ada, ben)
    alone, _ = await thread("Alone", ada)
    assert {item.id: item.topic async for item in ada.chat.list_chat_threads()} == {shared: "Shared", alone: "Alone"}
    assert {item.id: item.topic async for item in ben.chat.list_chat_threads()} == {shared: "Shared"}


async def test_list_of_threads_comes_in_pages_last_written_to_first(person, thread):
    ada = await person("Ada")
    _, view = await thread("One", ada)
    await thread("Two", ada)
    await thread("Three", ada)
    # The two messages that begin a thread have two milliseconds, however fast the thread was made: the third message
    # here is later than both of any thread.
    for content in "up", "and", "up":
        sent = await view(ada).send_message(content)

    pages = [await all_of(page) async for page in ada.chat.list_chat_threads(results_per_page=2).by_page()]
    assert all(len(page) <= 2 for page in pages)
    items = sum(pages, [])
    assert [item.topic for item in items] == ["One", "Three", "Two"]
    assert items[0].last_message_received_on == seconds(sent.id)


async def test_properties_are_the_same_for_every_participant(person, thread):
    ada, ben = await person("Ada"), await person("Ben")
    thread_id, view = await thread("Properties", ada, ben)
    for who in ada, ben:
        properties = await view(who).get_properties()
        assert properties.id == thread_id
        assert properties.topic == "Properties"
        assert user_id(properties.created_by) == ada.id
        assert_about(now(), properties.created_on)


async def test_new_topic_is_shown_and_told(person, thread):
    ada, ben = await person("Ada"), await person("Ben")
    _, view = await thread("Before", ada, ben)

    await view(ben).update_topic("After")

    assert (await view(ada).get_properties()).topic == "After"
    latest = await anext(view(ada).list_messages())
    assert latest.type == ChatMessageType.TOPIC_UPDATED
    assert latest.sequence_id == "3"
    assert latest.content.topic == "After"
    assert user_id(latest.content.initiator) == ben.id
    assert [item.topic async for item in ada.chat.list_chat_threads()] == ["After"]


async def test_deleted_thread_is_gone_and_listed_as_deleted(person, thread):
    ada, ben = await person("Ada"), await person("Ben")
    thread_id, view = await thread("Short", ada, ben)
    await view(ben).send_message("Bye")

    await ada.chat.delete_chat_thread(thread_id)

    with refused(404):
        await view(ada).get_properties()
    with refused(404):
        await all_of(view(ben).list_messages())
    with refused(404):
        await view(ben).send_message("Too late")
    [item] = await all_of(ada.chat.list_chat_threads())
    assert item.id == thread_id
    assert_about(now(), item.deleted_on)
