from datetime import timedelta

from azure.communication.identity import CommunicationTokenScope
from azure.communication.identity.aio import CommunicationIdentityClient

from support import (
    USER_ID,
    all_of,
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


async def test_create_user(identity):
    first, second = await identity.create_user(), await identity.create_user()
    assert USER_ID.fullmatch(user_id(first))
    assert USER_ID.fullmatch(user_id(second))
    assert user_id(first) != user_id(second)


async def test_create_user_and_token(identity, chat_for):
    user, access_token = await identity.create_user_and_token([CHAT])
    assert USER_ID.fullmatch(user_id(user))
    assert_about(now() + timedelta(hours=24), expiry_of(access_token))
    assert "8:" + claims_of(access_token.token)["skypeid"] == user_id(user)
    assert await all_of((await chat_for(access_token.token)).list_chat_threads()) == []


async def test_token_with_two_scopes_lives_for_a_day(identity):
    access_token = await identity.get_token(await identity.create_user(), [CHAT, VOIP])
    assert_about(now() + timedelta(hours=24), expiry_of(access_token))
    claims = claims_of(access_token.token)
    assert claims["exp"] == int(expiry_of(access_token).timestamp())
    assert sorted(claims["acsScope"].split(",")) == ["chat", "voip"]


async def test_token_lives_for_the_time_asked_for_not_less_than_an_hour(identity):
    user = await identity.create_user()
    access_token = await identity.get_token(user, [CHAT], token_expires_in=timedelta(minutes=60))
    assert_about(now() + timedelta(hours=1), expiry_of(access_token))

    with refused(400) as error:
        await identity.get_token(user, [CHAT], token_expires_in=timedelta(minutes=59))
    assert error.value.error.code == "ValidationError"
    with refused(400):
        await identity.create_user_and_token([CHAT], token_expires_in=timedelta(minutes=1441))


async def test_revoking_ends_the_tokens_issued_so_far(identity, person, chat_for):
    ada = await person("Ada")
    assert await all_of(ada.chat.list_chat_threads()) == []

    await identity.revoke_tokens(ada.user)

    renewed = await identity.get_token(ada.user, [CHAT])
    with refused(401):
        await all_of(ada.chat.list_chat_threads())
    assert await all_of((await chat_for(renewed.token)).list_chat_threads()) == []


async def test_deleting_a_user_ends_tokens_and_identity(identity, person):
    ada = await person("Ada")
    await identity.delete_user(ada.user)
    with refused(401):
        await all_of(ada.chat.list_chat_threads())
    with refused(401):
        await identity.get_token(ada.user, [CHAT])


async def test_no_token_for_a_user_of_another_resource(identity):
    with refused(401) as error:
        await identity.get_token(foreign_user(), [CHAT])
    assert error.value.error.code == "IdentityNotOwned"


async def test_wrong_access_key_is_refused():
    async with CommunicationIdentityClient.from_connection_string(wrong_key_connection_string()) as client:
        with refused(401):
            await client.create_user()
