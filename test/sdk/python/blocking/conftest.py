"""The blocking clients: azure.communication.chat and azure.communication.identity."""

from contextlib import ExitStack

from azure.communication.chat import ChatClient, CommunicationTokenCredential
from azure.communication.identity import CommunicationIdentityClient
from azure.core.pipeline.transport import RequestsTransport
import pytest

from support import CONNECTION_STRING, ENDPOINT, Person


@pytest.fixture
def identity():
    # The blocking identity client cannot be closed, so it is lent a transport that can.
    with RequestsTransport() as transport:
        yield CommunicationIdentityClient.from_connection_string(CONNECTION_STRING, transport=transport)


@pytest.fixture
def chat_for():
    """Gives a chat client that presents the token; all are closed after the test."""
    with ExitStack() as open_clients:
        yield lambda token: open_clients.enter_context(ChatClient(ENDPOINT, CommunicationTokenCredential(token)))


@pytest.fixture
def person(identity, chat_for):
    """Makes a new user with a token and a chat client."""

    def new(name, scopes=("chat",)):
        user, access_token = identity.create_user_and_token(list(scopes))
        return Person(name, user, access_token.token, chat_for(access_token.token))

    return new


@pytest.fixture
def thread():
    """Makes a thread; gives its id and a function to each person's view of it."""
    with ExitStack() as open_clients:

        def new(topic, owner, *guests):
            participants = [guest.participant() for guest in guests]
            created = owner.chat.create_chat_thread(topic, thread_participants=participants)
            thread_id = created.chat_thread.id
            view = lambda person: open_clients.enter_context(person.chat.get_chat_thread_client(thread_id))
            return thread_id, view

        yield new
