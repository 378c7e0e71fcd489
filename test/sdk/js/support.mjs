// What the tests share: clients for a fresh user, threads to talk in, and
// small readers for the SDK's iterators and errors.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import { ChatClient } from "@azure/communication-chat";
import { AzureCommunicationTokenCredential, parseConnectionString } from "@azure/communication-common";
import { CommunicationIdentityClient } from "@azure/communication-identity";

export const connectionString = process.env.CHATD_CONNECTION_STRING;
assert.ok(connectionString, "CHATD_CONNECTION_STRING must hold the connection string of a running chatd");

export const { endpoint } = parseConnectionString(connectionString);

export const identityClient = new CommunicationIdentityClient(connectionString);

/** A chat client that presents the given user access token. */
export function chatClientFor(token) {
  return new ChatClient(endpoint, new AzureCommunicationTokenCredential(token));
}

/** A new user with a token, and a chat client that speaks as that user. */
export async function newPerson(displayName, scopes = ["chat"]) {
  const { user, token } = await identityClient.createUserAndToken(scopes);
  return {
    user,
    token,
    displayName,
    id: user.communicationUserId,
    chat: chatClientFor(token),
    participant: { id: user, displayName },
  };
}

export function newPeople(...names) {
  return Promise.all(names.map((name) => newPerson(name)));
}

/** Creates a thread by its owner with the guests; returns a function that gives each person's view of it. */
export async function newThread(topic, owner, ...guests) {
  const { chatThread } = await owner.chat.createChatThread(
    { topic },
    { participants: guests.map((guest) => guest.participant) },
  );
  const as = (person) => person.chat.getChatThreadClient(chatThread.id);
  return { id: chatThread.id, properties: chatThread, as };
}

/** A well-formed user id of a resource that is not this server's. */
export function foreignUserId() {
  return `8:acs:${randomUUID()}_00000009-1234-1234-1234-123456789abc`;
}

/** A token of the right shape and far expiry that nobody signed. */
export function garbageToken() {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return [
    part({ alg: "RS256", typ: "JWT" }),
    part({ skypeid: "acs:nobody", exp: 4102444800 }),
    Buffer.from("not a signature").toString("base64url"),
  ].join(".");
}

export async function all(iterator) {
  const items = [];
  for await (const item of iterator) {
    items.push(item);
  }
  return items;
}

export function pages(iterator) {
  return all(iterator.byPage());
}

/** The id inside an identifier as the SDK returns it. */
export function userIdOf(identifier) {
  assert.equal(identifier?.kind, "communicationUser");
  return identifier.communicationUserId;
}

/** Asserts that the call is refused with the HTTP status, and returns the error. */
export async function assertStatus(status, call) {
  let refusal;
  await assert.rejects(call, (error) => {
    refusal = error;
    return true;
  });
  assert.equal(refusal.statusCode, status, `${refusal.name}: ${refusal.message}`);
  return refusal;
}

/** Asserts that the time is within a minute of the expected one. */
export function assertAbout(expected, actual, what) {
  assert.ok(actual instanceof Date, `${what} is a date`);
  const off = Math.abs(actual.getTime() - expected);
  assert.ok(off < 60_000, `${what}: ${actual.toISOString()} is ${off} ms away from ${new Date(expected).toISOString()}`);
}
