from azure.communication.chat import ChatParticipant, CommunicationUserIdentifier

from support import garbage_token, refused, unknown_thread_id, user_ids


def test_token_that_nobody_signed_is_refused(chat_for):
    chat = chat_for(garbage_token())
    with refused(401):
        list(chat.list_chat_threads())
    with refused(401):
        chat.create_chat_thread("Nothing")


def test_outsider_may_not_read(person, thread):
    ada, eve = person("Ada"), person("Eve")
    _, view = thread("Private", ada)
    with refused(403):
        list(view(eve).list_messages())
    with refused(403):
        view(eve).get_properties()
    with refused(403):
        view(eve).send_message("Hi")


def test_unknown_thread_is_not_found(person):
    ada = person("Ada")
    with ada.chat.get_chat_thread_client(unknown_thread_id()) as client:
        with refused(404):
            client.get_properties()
        with refused(404):
            list(client.list_participants())


def test_malformed_participant_id_fails_the_whole_call(person, thread):
    ada, ben = person("Ada"), person("Ben")
    _, view = thread("Malformed", ada)
    malformed = ChatParticipant(identifier=CommunicationUserIdentifier("8:acs:invalidUserId"))

    with refused(400):
        view(ada).add_participants([ben.participant(), malformed])
    with refused(400):
        ada.chat.create_chat_thread("Malformed", thread_participants=[ben.participant(), malformed])

    assert user_ids(view(ada).list_participants()) == [ada.id]


def test_token_for_joining_may_not_create_a_thread(person, thread):
    ada, joiner = person("Ada"), person("Joe", scopes=["chat.join"])
    with refused(403):
        joiner.chat.create_chat_thread("Not mine")

    _, view = thread("Joined", ada, joiner)
    sent = view(joiner).send_message("Hello")
    assert view(ada).get_message(sent.id).content.message == "Hello"
