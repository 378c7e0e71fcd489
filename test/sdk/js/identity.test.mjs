import assert from "node:assert/strict";
import { test } from "node:test";

import { CommunicationIdentityClient } from "@azure/communication-identity";

import {
  all,
  assertAbout,
  assertStatus,
  chatClientFor,
  connectionString,
  endpoint,
  foreignUserId,
  identityClient,
  newPerson,
} from "./support.mjs";

const minute = 60_000;
const userId = /^8:acs:[0-9a-f-]{36}_[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function claimsOf(token) {
  return JSON.parse(Buffer.from(token.split(".")[1], "base64url").toString());
}

test("create a user", async () => {
  const first = await identityClient.createUser();
  const second = await identityClient.createUser();
  assert.match(first.communicationUserId, userId);
  assert.match(second.communicationUserId, userId);
  assert.notEqual(first.communicationUserId, second.communicationUserId);
});

test("create a user and a token in one call", async () => {
  const { user, token, expiresOn } = await identityClient.createUserAndToken(["chat"]);
  assert.match(user.communicationUserId, userId);
  assertAbout(Date.now() + 24 * 60 * minute, expiresOn, "expiresOn");
  assert.equal(`8:${claimsOf(token).skypeid}`, user.communicationUserId);
  assert.deepEqual(await all(chatClientFor(token).listChatThreads()), []);
});

test("a token with two scopes lives for a day", async () => {
  const user = await identityClient.createUser();
  const { token, expiresOn } = await identityClient.getToken(user, ["chat", "voip"]);
  assertAbout(Date.now() + 24 * 60 * minute, expiresOn, "expiresOn");
  const { exp, acsScope } = claimsOf(token);
  assertAbout(exp * 1000, expiresOn, "expiresOn by the token's claim");
  assert.deepEqual(acsScope.split(",").sort(), ["chat", "voip"]);
});

test("a token lives for the minutes asked for, not less than an hour", async () => {
  const user = await identityClient.createUser();
  const { expiresOn } = await identityClient.getToken(user, ["chat"], { tokenExpiresInMinutes: 60 });
  assertAbout(Date.now() + 60 * minute, expiresOn, "expiresOn");

  const error = await assertStatus(400, () =>
    identityClient.getToken(user, ["chat"], { tokenExpiresInMinutes: 59 }),
  );
  assert.equal(error.code, "ValidationError");
  await assertStatus(400, () => identityClient.createUserAndToken(["chat"], { tokenExpiresInMinutes: 1441 }));
});

test("revoking ends the tokens issued so far, not the next one", async () => {
  const { user, chat } = await newPerson("Ada");
  assert.deepEqual(await all(chat.listChatThreads()), []);

  await identityClient.revokeTokens(user);

  const { token } = await identityClient.getToken(user, ["chat"]);
  await assertStatus(401, () => all(chat.listChatThreads()));
  assert.deepEqual(await all(chatClientFor(token).listChatThreads()), []);
});

test("deleting a user ends the tokens and the identity", async () => {
  const { user, chat } = await newPerson("Ada");
  await identityClient.deleteUser(user);
  await assertStatus(401, () => all(chat.listChatThreads()));
  await assertStatus(401, () => identityClient.getToken(user, ["chat"]));
});

test("no token for a user of another resource", async () => {
  const stranger = { communicationUserId: foreignUserId() };
  const error = await assertStatus(401, () => identityClient.getToken(stranger, ["chat"]));
  assert.equal(error.code, "IdentityNotOwned");
});

test("a wrong access key is refused", async () => {
  const wrongKey = Buffer.alloc(64, 7).toString("base64");
  const client = new CommunicationIdentityClient(`endpoint=${endpoint};accesskey=${wrongKey}`);
  await assertStatus(401, () => client.createUser());
});

// The signature is made by communication-common. Up to 2.4.0 it names the port twice, in the Host that is sent as well;
// 2.5.0 is the newest, but its package file wants Node 22, so that 2.4.2 is what npm installs on Node 20.
for (const release of ["2.4.0", "2.5.0"]) {
  test(`the signature of communication-common ${release} is accepted`, async () => {
    const { CommunicationIdentityClient } = await import(`communication-identity-on-common-${release}`);
    const client = new CommunicationIdentityClient(connectionString);
    const user = await client.createUser();
    assert.match(user.communicationUserId, userId);
    const { token } = await client.getToken(user, ["chat"]);
    assert.equal(`8:${claimsOf(token).skypeid}`, user.communicationUserId);
    await client.revokeTokens(user);
    await assertStatus(401, () => all(chatClientFor(token).listChatThreads()));
  });
}
