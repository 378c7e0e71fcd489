from datetime import timedelta

from azure.communication.identity import CommunicationIdentityClient, CommunicationTokenScope
from azure.core.pipeline.transport import RequestsTransport

from support import (
    USER_ID,
    assert_about,
    claims_of,
    expiry_of,
    foreign_user,
    now,
    refused,
    user_id,
    wrong_key_connection_string,
)

CHAT, VOIP = CommunicationTokenScope.CHAT, CommunicationTokenScope.VOIP


def test_create_user(identity):
    first, second = identity.create_user(), identity.create_user()
    assert USER_ID.fullmatch(user_id(first))
    assert USER_ID.fullmatch(user_id(second))
    assert user_id(first) != user_id(second)


def test_create_user_and_token(identity, chat_for):
    user, access_token = identity.create_user_and_token([CHAT])
    assert USER_ID.fullmatch(user_id(user))
    assert_about(now() + timedelta(hours=24), expiry_of(access_token))
    assert "8:" + claims_of(access_token.token)["skypeid"] == user_id(user)
    assert list(chat_for(access_token.token).list_chat_threads()) == []


def test_token_with_two_scopes_lives_for_a_day(identity):
    access_token = identity.get_token(identity.create_user(), [CHAT, VOIP])
    assert_about(now() + timedelta(hours=24), expiry_of(access_token))
    claims = claims_of(access_token.token)
    assert claims["exp"] == int(expiry_of(access_token).timestamp())
    assert sorted(claims["acsScope"].split(",")) == ["chat", "voip"]


def test_token_lives_for_the_time_asked_for_not_less_than_an_hour(identity):
    user = identity.create_user()
    access_token = identity.get_token(user, [CHAT], token_expires_in=timedelta(minutes=60))
    assert_about(now() + timedelta(hours=1), expiry_of(access_token))

    with refused(400) as error:
        identity.get_token(user, [CHAT], token_expires_in=timedelta(minutes=59))
    assert error.value.error.code == "ValidationError"
    with refused(400):
        identity.create_user_and_token([CHAT], token_expires_in=timedelta(minutes=1441))


def test_revoking_ends_the_tokens_issued_so_far(identity, person, chat_for):
    ada = person("Ada")
    assert list(ada.chat.list_chat_threads()) == []

    identity.revoke_tokens(ada.user)

    renewed = identity.get_token(ada.user, [CHAT])
    with refused(401):
        list(ada.chat.list_chat_threads())
    assert list(chat_for(renewed.token).list_chat_threads()) == []


def test_deleting_a_user_ends_tokens_and_identity(identity, person):
    ada = person("Ada")
    identity.delete_user(ada.user)
    with refused(401):
        list(ada.chat.list_chat_threads())
    with refused(401):
        identity.get_token(ada.user, [CHAT])


def test_no_token_for_a_user_of_another_resource(identity):
    with refused(401) as error:
        identity.get_token(foreign_user(), [CHAT])
    assert error.value.error.code == "IdentityNotOwned"


def test_wrong_access_key_is_refused():
    with RequestsTransport() as transport:
        wrong_key = wrong_key_connection_string()
        client = CommunicationIdentityClient.from_connection_string(wrong_key, transport=transport)
        with refused(401):
            client.create_user()
