"""What the tests of the blocking and the asynchronous clients share."""

import base64
import json
import os
import re
import uuid
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

from azure.communication.chat import ChatParticipant, CommunicationIdentifierKind, CommunicationUserIdentifier
from azure.core.exceptions import HttpResponseError
import pytest

CONNECTION_STRING = os.environ["CHATD_CONNECTION_STRING"]
ENDPOINT = re.search(r"endpoint=([^;]+)", CONNECTION_STRING).group(1)

USER_ID = re.compile(r"8:acs:[0-9a-f-]{36}_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
THREAD_ID = re.compile(r"19:[A-Za-z0-9_-]+@thread\.v2")
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
UNKNOWN_MESSAGE = "1600000000000"


class Person:
    """A user with a token and a chat client that speaks as that user."""

    def __init__(self, name, user, token, chat):
        self.name = name
        self.user = user
        self.token = token
        self.chat = chat

    @property
    def id(self):
        return user_id(self.user)

    def participant(self, **more):
        return ChatParticipant(identifier=self.user, display_name=self.name, **more)


def user_id(identifier):
    assert identifier.kind == CommunicationIdentifierKind.COMMUNICATION_USER
    return identifier.properties["id"]


def user_ids(participants):
    return [user_id(participant.identifier) for participant in participants]


async def all_of(iterator):
    return [item async for item in iterator]


def foreign_user():
    """A well-formed user of a resource that is not this server's."""
    return CommunicationUserIdentifier(f"8:acs:{uuid.uuid4()}_00000009-1234-1234-1234-123456789abc")


def unknown_thread_id():
    return f"19:{uuid.uuid4().hex}@thread.v2"


def wrong_key_connection_string():
    key = base64.b64encode(bytes([7]) * 64).decode()
    return f"endpoint={ENDPOINT};accesskey={key}"


def garbage_token():
    """A token of the right shape and far expiry that nobody signed."""
    header = encode(json.dumps({"alg": "RS256", "typ": "JWT"}))
    payload = encode(json.dumps({"skypeid": "acs:nobody", "exp": 4102444800}))
    return ".".join([header, payload, encode("not a signature")])


def encode(text):
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def claims_of(token):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def expiry_of(access_token):
    """The time in expires_on, which the identity client gives as the server's own text."""
    return datetime.fromisoformat(access_token.expires_on)


def now():
    return datetime.now(timezone.utc)


def just_after(message_id):
    """The millisecond after a message: "now" without a race of two clocks."""
    return EPOCH + timedelta(milliseconds=int(message_id) + 1)


def seconds(message_id):
    """The time of a message by its id, in the whole seconds that the service tells."""
    return EPOCH + timedelta(seconds=int(message_id) // 1000)


def assert_about(expected, actual):
    assert abs(actual - expected) < timedelta(minutes=1)


@contextmanager
def refused(status):
    """The block in it must be refused with the HTTP status."""
    with pytest.raises(HttpResponseError) as caught:
        yield caught
    assert caught.value.status_code == status, caught.value
