"""The asynchronous clients, .aio of azure.communication.chat and azure.communication.identity, over aiohttp."""

from contextlib import AsyncExitStack

from azure.communication.chat.aio import ChatClient, CommunicationTokenCredential
from azure.communication.identity.aio import CommunicationIdentityClient
import pytest_asyncio

from support import CONNECTION_STRING, ENDPOINT, Person


@pytest_asyncio.fixture
async def identity():
    async with CommunicationIdentityClient.from_connection_string(CONNECTION_STRING) as client:
        yield client


@pytest_asyncio.fixture
async def chat_for():
    async with AsyncExitStack() as open_clients:

        async def new(token):
            client = ChatClient(ENDPOINT, CommunicationTokenCredential(token))
            return await open_clients.enter_async_context(client)

        yield new


@pytest_asyncio.fixture
async def person(identity, chat_for):
    async def new(name, scopes=("chat",)):
        user, access_token = await identity.create_user_and_token(list(scopes))
        return Person(name, user, access_token.token, await chat_for(access_token.token))

    return new


@pytest_asyncio.fixture
async def thread():
    async with AsyncExitStack() as open_clients:

        async def new(topic, owner, *guests):
            participants = [guest.participant() for guest in guests]
            created = await owner.chat.create_chat_thread(topic, thread_participants=participants)
            thread_id = created.chat_thread.id

            def view(person):
                client = person.chat.get_chat_thread_client(thread_id)
                open_clients.push_async_callback(client.close)
                return client

            return thread_id, view

        yield new
