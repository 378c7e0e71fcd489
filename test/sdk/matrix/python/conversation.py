"""One conversation, in the vocabulary of the release's API.

Each operation ends as one line of JSON on standard output: passed, failed with the reason, or absent from the API.
"""

import base64
import json
import os
import re
import sys
import traceback
import uuid
from datetime import datetime, timedelta, timezone
from importlib import import_module

from azure.communication import chat as sdk
from azure.core.exceptions import HttpResponseError

CONNECTION_STRING = os.environ["CHATD_CONNECTION_STRING"]
GENERATION = os.environ["CHATD_API"]
ABSENT = json.loads(os.environ["CHATD_ABSENT"])
ENDPOINT = re.search("endpoint=([^;]+)", CONNECTION_STRING).group(1)
NOWHERE = f"19:{'0' * 32}@thread.v2"

OLD = GENERATION in ("preview2", "preview3")
identity_package = import_module("azure.communication." + ("administration" if OLD else "identity"))


class Stable:
    """The API since 1.0.0. The previews below it say what was different."""

    token_option = "idempotency_token"
    send_options = {"sender_display_name": "Ada", "chat_message_type": "text"}

    def identity(self, text=CONNECTION_STRING):
        return identity_package.CommunicationIdentityClient.from_connection_string(text)

    def issue_token(self, user):
        return identity.get_token(user, ["chat"])

    def revoke_tokens(self, user):
        identity.revoke_tokens(user)

    def chat(self, token):
        return sdk.ChatClient(ENDPOINT, sdk.CommunicationTokenCredential(token))

    def participant(self, person):
        return sdk.ChatParticipant(identifier=person.user, display_name=person.name)

    def create_thread(self, person, topic, guests, token=None):
        """Creates a thread and returns its id, and the time of creation where the client gives it."""
        participants = [self.participant(guest) for guest in guests]
        options = {self.token_option: token} if token else {}
        result = person.chat.create_chat_thread(topic, thread_participants=participants, **options)
        assert not result.errors, result.errors
        return result.chat_thread.id, result.chat_thread.created_on

    def get_thread(self, person, thread_id):
        return person.chat.get_chat_thread_client(thread_id).get_properties()

    def update_topic(self, thread, topic):
        thread.update_topic(topic=topic)

    def sent_id(self, result):
        return result.id

    def check_sent(self, message):
        assert message.type == sdk.ChatMessageType.TEXT
        assert message.sequence_id == "4", "after the system messages of the creation and that of the new topic"

    def text_of(self, message):
        return message.content.message

    def sender_of(self, message):
        return self.id_of(message.sender)

    def add_participant(self, thread, person):
        errors = thread.add_participants([self.participant(person)])
        assert not errors, errors

    def list_participants(self, thread):
        return list(thread.list_participants(results_per_page=2))

    def remove_participant(self, thread, person):
        thread.remove_participant(person.user)

    def id_of(self, identifier):
        assert identifier.kind == sdk.CommunicationIdentifierKind.COMMUNICATION_USER
        return identifier.properties["id"]

    def member_id(self, participant):
        return self.id_of(participant.identifier)

    def system_message(self, message):
        """A system message in brief: what happened, who did it, and to what or whom."""
        content, kind = message.content, message.type.value
        if kind == "topicUpdated":
            return [kind, self.id_of(content.initiator), content.topic]
        if kind in ("participantAdded", "participantRemoved"):
            return [kind, self.id_of(content.initiator), *map(self.member_id, content.participants)]
        return [kind]


class Preview4(Stable):
    """1.0.0b5: the token and the models have other names, and threads are read by the chat client."""

    token_option = "repeatability_request_id"

    def chat(self, token):
        # No package exports the credential. That of the identity package, which the release's description names, gives
        # the expiry as a date, and azure-core fails with that on the second call; the chat package has its own.
        from azure.communication.chat._shared.user_credential import CommunicationTokenCredential
        from azure.communication.chat._shared.user_token_refresh_options import CommunicationTokenRefreshOptions

        return sdk.ChatClient(ENDPOINT, CommunicationTokenCredential(CommunicationTokenRefreshOptions(token)))

    def participant(self, person):
        return sdk.ChatThreadParticipant(user=person.user, display_name=person.name)

    def get_thread(self, person, thread_id):
        return person.chat.get_chat_thread(thread_id)

    def sent_id(self, result):
        return result

    def sender_of(self, message):
        return self.id_of(message.sender_communication_identifier)

    def id_of(self, identifier):
        return identifier.identifier

    def member_id(self, participant):
        return self.id_of(participant.user)


class Preview3(Preview4):
    """1.0.0b4: users are plain strings in the content of system messages; identities are in the administration."""

    def issue_token(self, user):
        return identity.issue_token(user, ["chat"])

    def revoke_tokens(self, user):
        identity.revoke_tokens(user, issued_before=datetime.now(timezone.utc))

    def chat(self, token):
        options = sdk.CommunicationTokenRefreshOptions(token)
        return sdk.ChatClient(ENDPOINT, sdk.CommunicationTokenCredential(options))

    def create_thread(self, person, topic, guests, token=None):
        participants = [self.participant(guest) for guest in guests]
        return person.chat.create_chat_thread(topic, participants, token).thread_id, None

    def add_participant(self, thread, person):
        result = thread.add_participants([self.participant(person)])
        assert not result.errors, result.errors

    def sender_of(self, message):
        return self.id_of(message.sender_id)

    def id_of(self, identifier):
        return identifier if isinstance(identifier, str) else identifier.identifier


class Preview2(Preview3):
    """1.0.0b1 to b3: members, of whom the caller must be one, priorities, and system messages in XML."""

    send_options = {"sender_display_name": "Ada", "priority": "High"}

    def chat(self, token):
        return sdk.ChatClient(ENDPOINT, sdk.CommunicationUserCredential(token))

    def participant(self, person):
        return sdk.ChatThreadMember(user=sdk.CommunicationUser(person.id), display_name=person.name)

    def create_thread(self, person, topic, guests, token=None):
        members = [self.participant(member) for member in [person, *guests]]
        return person.chat.create_chat_thread(topic, members).thread_id, None

    def update_topic(self, thread, topic):
        thread.update_thread(topic=topic)

    def sent_id(self, result):
        return result.id

    def check_sent(self, message):
        assert message.type == "Text"
        assert message.priority == "High"

    def text_of(self, message):
        return message.content

    def sender_of(self, message):
        return self.id_of(message.sender)

    def add_participant(self, thread, person):
        thread.add_members([self.participant(person)])

    def list_participants(self, thread):
        return list(thread.list_members())

    def remove_participant(self, thread, person):
        thread.remove_member(person.user)

    def system_message(self, message):
        kind = {
            "ThreadActivity/AddMember": "participantAdded",
            "ThreadActivity/DeleteMember": "participantRemoved",
            "ThreadActivity/TopicUpdate": "topicUpdated",
        }[message.type]
        assert self.sender_of(message) == thread_id, "the sender of a system message is the thread"
        values = (re.findall(f"<{name}>(.*?)</{name}>", message.content) for name in ("initiator", "target", "value"))
        return [kind, *(value for found in values for value in found)]


api = {"stable": Stable, "preview4": Preview4, "preview3": Preview3, "preview2": Preview2}[GENERATION]()


class Person:
    def __init__(self, name):
        self.name = name

    def register(self):
        self.user = identity.create_user()
        self.id = api.id_of(self.user)

    def sign_in(self):
        token = api.issue_token(self.user)
        self.chat = api.chat(token.token)
        return token

    def thread(self):
        return self.chat.get_chat_thread_client(thread_id)

    def message(self, message_id):
        return self.thread().get_message(message_id)

    def messages(self):
        return list(self.thread().list_messages())


failed = set()


def operation(name, *needs):
    """Does one operation and reports it. One that needs the result of a failed one fails with it."""

    def run(act):
        result, reason = "passed", None
        missing = [need for need in needs if need in failed]
        if name in ABSENT:
            result = "absent"
        elif missing:
            result, reason = "failed", f'needs "{missing[0]}"'
        else:
            try:
                act()
            except Exception as error:  # whatever the release throws is the result
                traceback.print_exc()
                result, reason = "failed", f"{type(error).__name__}: {error}".splitlines()[0]
        if result == "failed":
            failed.add(name)
        print(json.dumps({"operation": name, "result": result, "reason": reason}), flush=True)

    return run


def refused(status, call, *arguments, **options):
    """The call must be refused with the HTTP status."""
    try:
        call(*arguments, **options)
    except HttpResponseError as error:
        assert error.status_code == status, f"{error.status_code} instead of {status}: {error}"
    else:
        raise AssertionError(f"not refused with {status}")


def aware(time):
    return time if time.tzinfo else time.replace(tzinfo=timezone.utc)


def assert_now(time):
    assert abs(aware(time) - datetime.now(timezone.utc)) < timedelta(minutes=1), time


def assert_token(token):
    assert token.token.count(".") == 2
    # The newer clients give the server's text, the older ones a time.
    expiry = token.expires_on
    expiry = aware(datetime.fromisoformat(expiry) if isinstance(expiry, str) else expiry)
    validity = expiry - datetime.now(timezone.utc)
    assert abs(validity - timedelta(hours=24)) < timedelta(minutes=5), validity


def garbage_token():
    """A token of the right shape and far expiry that nobody signed."""
    parts = {"alg": "RS256", "typ": "JWT"}, {"skypeid": "acs:nobody", "exp": 4102444800}, "nobody"
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


def assert_equal(got, want):
    assert got == want, f"{got} instead of {want}"


identity = api.identity()
ada, ben, cleo, dan = map(Person, ("Ada", "Ben", "Cleo", "Dan"))
thread_id = text = None
others = []  # the messages after the first, oldest first


@operation("create user")
def _():
    for person in (ada, ben, cleo):
        person.register()
        assert re.fullmatch(r"8:acs:[0-9a-f-]{36}_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", person.id), person.id


@operation("issue token", "create user")
def _():
    for person in (ada, ben, cleo):
        assert_token(person.sign_in())


@operation("create user and token")
def _():
    user, token = identity.create_user_and_token(["chat"])
    assert_token(token)
    assert api.id_of(user).startswith("8:acs:")
    assert_equal(list(api.chat(token.token).list_chat_threads()), [])


@operation("create thread", "issue token")
def _():
    global thread_id
    thread_id, _created_on = api.create_thread(ada, "Launch", [ben])
    assert re.fullmatch(r"19:[A-Za-z0-9_-]+@thread\.v2", thread_id), thread_id


@operation("create thread again", "create thread")
def _():
    token = str(uuid.uuid4())
    first = api.create_thread(ada, "Once", [ben], token)
    again = api.create_thread(ada, "Once", [ben], token)
    other = api.create_thread(ada, "Once", [ben], str(uuid.uuid4()))
    assert_equal(again, first)
    assert other[0] != first[0]
    for created, _created_on in (first, other):
        ada.chat.delete_chat_thread(created)


@operation("get thread", "create thread")
def _():
    properties = api.get_thread(ben, thread_id)
    assert_equal((properties.id, properties.topic), (thread_id, "Launch"))
    assert_equal(api.id_of(properties.created_by), ada.id)
    assert_now(properties.created_on)
    if GENERATION == "preview2":
        assert_equal([api.member_id(member) for member in properties.members], [ada.id, ben.id])


@operation("list threads", "create thread")
def _():
    threads = list(ben.chat.list_chat_threads(results_per_page=1))
    threads = [item for item in threads if not (item.is_deleted if GENERATION == "preview2" else item.deleted_on)]
    assert_equal([(item.id, item.topic) for item in threads], [(thread_id, "Launch")])
    assert_now(threads[0].last_message_received_on)


@operation("update topic", "get thread")
def _():
    api.update_topic(ada.thread(), "Launch on Friday")
    assert_equal(api.get_thread(ben, thread_id).topic, "Launch on Friday")


operation("thread metadata", "get thread")(None)  # in no release so far


@operation("send message", "update topic")
def _():
    global text
    text = api.sent_id(ada.thread().send_message("Hello Ben", **api.send_options))
    assert re.fullmatch(r"\d{13,}", text), text


@operation("send html", "create thread")
def _():
    content = "<p>Hello <b>Ben</b></p>"
    html = api.sent_id(ada.thread().send_message(content, chat_message_type="html"))
    others.append(html)
    message = ben.message(html)
    assert_equal(message.type, sdk.ChatMessageType.HTML)
    assert_equal(api.text_of(message), content)


@operation("message metadata", "create thread")
def _():
    sent = api.sent_id(ada.thread().send_message("Hi", metadata={"tags": "greeting", "lang": "en"}))
    others.append(sent)
    assert_equal(ben.message(sent).metadata, {"tags": "greeting", "lang": "en"})
    ada.thread().update_message(sent, metadata={"lang": "de"})
    message = ben.message(sent)
    assert_equal(message.metadata, {"tags": "greeting", "lang": "de"})
    assert_equal(api.text_of(message), "Hi")


@operation("get message", "send message")
def _():
    message = ben.message(text)
    assert_equal((message.id, message.version), (text, text))
    assert_equal(api.text_of(message), "Hello Ben")
    assert_equal(api.sender_of(message), ada.id)
    assert_equal(message.sender_display_name, "Ada")
    assert_now(message.created_on)
    assert_equal((message.edited_on, message.deleted_on), (None, None))
    api.check_sent(message)


@operation("list messages", "send message")
def _():
    ids = [message.id for message in ben.messages()]
    assert_equal(ids, sorted(ids, reverse=True))
    assert_equal(ids[:-3], [*reversed(others), text])
    pages = [[message.id for message in page] for page in ben.thread().list_messages(results_per_page=2).by_page()]
    assert len(pages) > 1 and all(len(page) <= 2 for page in pages), pages
    assert_equal([each for page in pages for each in page], ids)


@operation("system messages", "list messages")
def _():
    got = [api.system_message(message) for message in ben.messages()[-3:]]
    want = [
        ["topicUpdated", ada.id, "Launch on Friday"],
        ["topicUpdated", ada.id, "Launch"],
        ["participantAdded", ada.id, ada.id, ben.id],
    ]
    assert_equal(got, want)


@operation("update message", "get message")
def _():
    ada.thread().update_message(text, content="Hello Ben and all")
    message = ben.message(text)
    assert_equal(api.text_of(message), "Hello Ben and all")
    assert_equal(message.sender_display_name, "Ada")
    assert_now(message.edited_on)
    assert message.version != text


@operation("delete message", "create thread")
def _():
    sent = api.sent_id(ada.thread().send_message("Never mind"))
    ada.thread().delete_message(sent)
    message = ben.message(sent)
    assert_now(message.deleted_on)
    assert not message.content or not api.text_of(message)


operation("images", "create thread")(None)  # in no release so far


@operation("typing", "create thread")
def _():
    assert_equal(ben.thread().send_typing_notification(), None)


@operation("send receipt", "send message")
def _():
    ben.thread().send_read_receipt(text)


@operation("list receipts", "send receipt")
def _():
    receipts = list(ada.thread().list_read_receipts())
    assert_equal([(api.id_of(each.sender), each.chat_message_id) for each in receipts], [(ben.id, text)])
    assert_now(receipts[0].read_on)


@operation("add participants", "create thread")
def _():
    api.add_participant(ada.thread(), cleo)
    assert_equal(api.get_thread(cleo, thread_id).id, thread_id)
    assert_equal(api.system_message(ada.messages()[0]), ["participantAdded", ada.id, cleo.id])


@operation("list participants", "add participants")
def _():
    participants = api.list_participants(cleo.thread())
    assert_equal([api.member_id(each) for each in participants], [ada.id, ben.id, cleo.id])
    assert_equal([each.display_name for each in participants[1:]], ["Ben", "Cleo"])
    assert all(isinstance(each.share_history_time, datetime) for each in participants)


@operation("remove participant", "add participants")
def _():
    api.remove_participant(ada.thread(), cleo)
    assert_equal([api.member_id(each) for each in api.list_participants(ada.thread())], [ada.id, ben.id])
    assert_equal(api.system_message(ada.messages()[0]), ["participantRemoved", ada.id, cleo.id])


@operation("unauthorized")
def _():
    refused(401, list, api.chat(garbage_token()).list_chat_threads())
    key = base64.b64encode(bytes([7]) * 64).decode()
    refused(401, api.identity(re.sub("accesskey=.*", "accesskey=" + key, CONNECTION_STRING)).create_user)


@operation("forbidden", "remove participant")
def _():
    refused(403, cleo.thread().send_message, "Let me in")
    refused(403, api.list_participants, cleo.thread())
    dan.register()
    dan.sign_in()
    refused(403, api.get_thread, dan, thread_id)
    refused(403, dan.messages)


@operation("not found", "create thread")
def _():
    refused(404, api.get_thread, ada, NOWHERE)
    refused(404, ada.message, "1600000000000")


@operation("delete thread", "create thread")
def _():
    ada.chat.delete_chat_thread(thread_id)
    refused(404, api.get_thread, ada, thread_id)


@operation("revoke tokens", "issue token")
def _():
    api.revoke_tokens(ben.user)
    refused(401, list, ben.chat.list_chat_threads())
    ben.sign_in()
    list(ben.chat.list_chat_threads())


@operation("delete user", "issue token")
def _():
    identity.delete_user(ada.user)
    refused(401, list, ada.chat.list_chat_threads())
    refused(401, api.issue_token, ada.user)
