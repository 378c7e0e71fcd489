from azure.communication.chat import ChatParticipant, CommunicationUserIdentifier

from support import all_of, garbage_token, refused, unknown_thread_id, user_ids


async def test_token_that_nobody_signed_is_refused(chat_for):
    chat = await chat_for(garbage_token())
    with refused(401):
        await all_of(chat.list_chat_threads())
    with refused(401):
        await chat.create_chat_thread("Nothing")


async def test_outsider_may_not_read(person, thread):
    ada, eve = await person("Ada"), await person("Eve")
    _, view = await thread("Private", ada)
    with refused(403):
        await all_of(view(eve).list_messages())
    with refused(403):
        await view(eve).get_properties()
    with refused(403):
        await view(eve).send_message("Hi")


async def test_unknown_thread_is_not_found(person):
    ada = await person("Ada")
    async with ada.chat.get_chat_thread_client(unknown_thread_id()) as client:
        with refused(404):
            await client.get_properties()
        with refused(404):
            await all_of(client.list_participants())


async def test_malformed_participant_id_fails_the_whole_call(person, thread):
    ada, ben = await person("Ada"), await person("Ben")
    _, view = await thread("Malformed", ada)
    malformed = ChatParticipant(identifier=CommunicationUserIdentifier("8:acs:invalidUserId"))

    with refused(400):
        await view(ada).add_participants([ben.participant(), malformed])
    with refused(400):
        await ada.chat.create_chat_thread("Malformed", thread_participants=[ben.participant(), malformed])

    assert user_ids(await all_of(view(ada).list_participants())) == [ada.id]


async def test_token_for_joining_may_not_create_a_thread(person, thread):
    ada, joiner = await person("Ada"), await person("Joe", scopes=["chat.join"])
    with refused(403):
        await joiner.chat.create_chat_thread("Not mine")

    _, view = await thread("Joined", ada, joiner)
    sent = await view(joiner).send_message("Hello")
    assert (await view(ada).get_message(sent.id)).content.message == "Hello"
