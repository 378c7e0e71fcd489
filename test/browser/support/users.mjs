// Users of a server, made over REST, and what the tests do as them beside the pages.
import assert from "node:assert/strict";
import { createPrivateKey, sign } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

import { ChatClient } from "@azure/communication-chat";
import { AzureCommunicationTokenCredential, parseConnectionString } from "@azure/communication-common";
import { CommunicationIdentityClient } from "@azure/communication-identity";

/** A resource, by its connection string. */
export class Resource {
  constructor(connectionString) {
    assert.ok(connectionString, "CHATD_CONNECTION_STRING must hold the connection string of a running chatd");
    this.endpoint = parseConnectionString(connectionString).endpoint.replace(/\/$/, "");
    this.identities = new CommunicationIdentityClient(connectionString);
  }

  /** A new user with a token, and a chat client that speaks as that user from here. */
  async user(displayName) {
    const { user, token } = await this.identities.createUserAndToken(["chat"]);
    const credential = new AzureCommunicationTokenCredential(token);
    return {
      id: user.communicationUserId,
      user,
      token,
      displayName,
      chat: new ChatClient(this.endpoint, credential, { retryOptions: { maxRetries: 0 } }),
      participant: { id: user, displayName },
    };
  }

  users(...names) {
    return Promise.all(names.map((name) => this.user(name)));
  }

  async freshToken(person) {
    return (await this.identities.getToken(person.user, ["chat"])).token;
  }

  revoke(person) {
    return this.identities.revokeTokens(person.user);
  }

  /** Creates a thread by its owner with the guests; as gives each person's view of it. */
  async thread(topic, owner, ...guests) {
    const { chatThread } = await owner.chat.createChatThread(
      { topic },
      { participants: guests.map((guest) => guest.participant) },
    );
    return { id: chatThread.id, as: (person) => person.chat.getChatThreadClient(chatThread.id) };
  }
}

/** The server that all tests share, as the driver started it. */
export const shared = new Resource(process.env.CHATD_CONNECTION_STRING);

/**
 * The token as the server would have made it for so short a life. No request asks for less than an hour, so the test
 * signs by the development server's own key.
 */
export async function shortLived(token, seconds) {
  const folder = join(process.env.CHATD_CONFIG_DIR, "signing-keys");
  const newest = (await readdir(folder)).sort().at(-1);
  const { PKCS8 } = JSON.parse(await readFile(join(folder, newest), "utf8"));
  const key = createPrivateKey({ key: Buffer.from(PKCS8, "base64"), format: "der", type: "pkcs8" });

  const [header, claims] = token.split(".");
  const decoded = JSON.parse(Buffer.from(claims, "base64url"));
  decoded.exp = Math.floor(Date.now() / 1000) + seconds;
  const signed = `${header}.${Buffer.from(JSON.stringify(decoded)).toString("base64url")}`;
  return `${signed}.${sign("sha256", Buffer.from(signed), key).toString("base64url")}`;
}

export async function all(iterator) {
  const items = [];
  for await (const item of iterator) {
    items.push(item);
  }
  return items;
}

/** The ids of the messages that users sent, in order, as REST knows them. */
export async function writtenIds(thread) {
  const messages = await all(thread.listMessages());
  return messages.flatMap(({ type, id }) => (type === "text" || type === "html" ? [id] : [])).reverse();
}
