import uuid

from azure.communication.chat import ChatMessageType, ChatParticipant

from support import (
    THREAD_ID,
    assert_about,
    foreign_user,
    now,
    refused,
    seconds,
    user_id,
    user_ids,
)


def test_create_thread_with_two_participants(person):
    ada, ben, cleo = person("Ada"), person("Ben"), person("Cleo")
    created = ada.chat.create_chat_thread(
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

    with ada.chat.get_chat_thread_client(properties.id) as client:
        participants = list(client.list_participants())
    assert user_ids(participants) == [ada.id, ben.id, cleo.id]
    assert [participant.display_name for participant in participants] == [None, "Ben", "Cleo"]


def test_same_idempotency_token_gives_the_same_thread(person):
    ada, ben = person("Ada"), person("Ben")

    def create(token):
        participants = [ben.participant()]
        created = ada.chat.create_chat_thread("Once", thread_participants=participants, idempotency_token=token)
        return created.chat_thread

    token = str(uuid.uuid4())
    first, again, other = create(token), create(token), create(str(uuid.uuid4()))

    assert again.id == first.id
    assert again.created_on == first.created_on
    assert other.id != first.id
    assert {item.id for item in ada.chat.list_chat_threads()} == {first.id, other.id}


def test_participant_of_another_resource_is_invalid(person):
    ada, ben = person("Ada"), person("Ben")
    stranger = ChatParticipant(identifier=foreign_user(), display_name="Nobody")
    created = ada.chat.create_chat_thread("Guests", thread_participants=[ben.participant(), stranger])

    [(participant, error)] = created.errors
    assert participant is stranger
    assert error.code == "403"
    assert error.target == user_id(stranger.identifier)
    assert error.message == "Permissions check failed"
    with ada.chat.get_chat_thread_client(created.chat_thread.id) as client:
        assert user_ids(client.list_participants()) == [ada.id, ben.id]


def test_list_of_threads_holds_the_users_threads(person, thread):
    ada, ben = person("Ada"), person("Ben")
    shared, _ = thread("Shared", ada, ben)
    alone, _ = thread("Alone", ada)
    assert {item.id: item.topic for item in ada.chat.list_chat_threads()} == {shared: "Shared", alone: "Alone"}
    assert {item.id: item.topic for item in ben.chat.list_chat_threads()} == {shared: "Shared"}


def test_list_of_threads_comes_in_pages_last_written_to_first(person, thread):
    ada = person("Ada")
    _, view = thread("One", ada)
    thread("Two", ada)
    thread("Three", ada)
    # The two messages that begin a thread have two milliseconds, however fast the thread was made: the third message
    # here is later than both of any thread.
    for content in "up", "and", "up":
        sent = view(ada).send_message(content)

    pages = [list(page) for page in ada.chat.list_chat_threads(results_per_page=2).by_page()]
    assert all(len(page) <= 2 for page in pages)
    items = sum(pages, [])
    assert [item.topic for item in items] == ["One", "Three", "Two"]
    assert items[0].last_message_received_on == seconds(sent.id)


def test_properties_are_the_same_for_every_participant(person, thread):
    ada, ben = person("Ada"), person("Ben")
    thread_id, view = thread("Properties", ada, ben)
    for who in ada, ben:
        properties = view(who).get_properties()
        assert properties.id == thread_id
        assert properties.topic == "Properties"
        assert user_id(properties.created_by) == ada.id
        assert_about(now(), properties.created_on)


def test_new_topic_is_shown_and_told(person, thread):
    ada, ben = person("Ada"), person("Ben")
    _, view = thread("Before", ada, ben)

    view(ben).update_topic("After")

    assert view(ada).get_properties().topic == "After"
    latest = next(view(ada).list_messages())
    assert latest.type == ChatMessageType.TOPIC_UPDATED
    assert latest.sequence_id == "3"
    assert latest.content.topic == "After"
    assert user_id(latest.content.initiator) == ben.id
    assert [item.topic for item in ada.chat.list_chat_threads()] == ["After"]


def test_deleted_thread_is_gone_and_listed_as_deleted(person, thread):
    ada, ben = person("Ada"), person("Ben")
    thread_id, view = thread("Short", ada, ben)
    view(ben).send_message("Bye")

    ada.chat.delete_chat_thread(thread_id)

    with refused(404):
        view(ada).get_properties()
    with refused(404):
        list(view(ben).list_messages())
    with refused(404):
        view(ben).send_message("Too late")
    [item] = ada.chat.list_chat_threads()
    assert item.id == thread_id
    assert_about(now(), item.deleted_on)
