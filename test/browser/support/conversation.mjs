// One conversation in which all ten kinds of event happen, between two pages of one version of the SDK. A third user is added and
// removed. Each event is compared, field by field, with what REST says.
import assert from "node:assert/strict";

import { assertEvent } from "./compare.mjs";
import { all, shared } from "./users.mjs";
import { eventually } from "./wait.mjs";

/** What a version of the SDK can send and receive. */
const featuresOf = (version) => ({
  connectionEvents: version !== "1.0.0",
  messageMetadata: version !== "1.0.0",
  typingName: version !== "1.0.0",
  // of threads and participants; retention; the reason of a deletion
  threadExtras: version.startsWith("1.6"),
});

// The SDK decodes percent-encoding that was never applied.
const topic = '50%20 100%25 %u2603 "ünï" 🚀 <b>';
const content = 'Zażółć 🚀 %41 <not html> & "quotes"\\n\nsecond line';
const threadMetadata = { "a%20b": "ünï %41" };
const messageMetadata = { priority: "high", "trace id": "α/β %41" };

/** Three new users, each with a client in a page: Ada's and Ben's in separate windows, Cleo's in the same page as Ben's. */
export async function connectUsers(desk, version, options) {
  const users = await shared.users("Ada", "Ben", "Cleo");
  const adas = await desk.page(`chat-${version}`, options);
  const bens = await desk.page(`chat-${version}`, options);
  const clients = await Promise.all(
    [adas, bens, bens].map(async (page, i) => ({
      person: users[i],
      // as events show who did something
      id: { kind: "communicationUser", communicationUserId: users[i].id },
      displayName: users[i].displayName,
      client: await page.client(users[i], shared.endpoint),
    })),
  );
  if (featuresOf(version).connectionEvents) {
    await Promise.all(clients.map(({ client }) => client.start()));
  } else {
    await Promise.all(clients.map(({ client }) => client.harness("start")));
    await eventually("all are registered", () => adas.registrations >= 1 && bens.registrations >= 2);
  }
  const [ada, ben, cleo] = clients;
  return { version, ada, ben, cleo };
}

/** Ada's and Ben's pages talk; all clients are connected when it begins. */
export async function converse({ version, ada, ben, cleo }) {
  const talk = new Talk(version, ada, ben);
  await talk.create();
  const message = await talk.send();
  await talk.type();
  await talk.read(message);
  await talk.edit(message);
  await talk.delete(await talk.sendHTML());
  await talk.update();
  await talk.add(cleo);
  await talk.remove(cleo);
  await talk.say("without Cleo");
  await talk.end();
  await talk.receivedNothingElse();
}

/** The conversation: each step is done by a page, and then received by all that are participants at that moment. */
class Talk {
  #expected = new Map(); // kinds of event by the client that has to receive them, in order
  #listening;

  constructor(version, ada, ben) {
    this.features = featuresOf(version);
    this.ada = ada;
    this.ben = ben;
    this.#listening = [ada, ben];
    this.#listening.forEach((member) => this.#expected.set(member, []));
  }

  async create() {
    const participants = [this.ada, this.ben].map(({ person }) => person.participant);
    const extras = { metadata: threadMetadata, retentionPolicy: { kind: "threadCreationDate", deleteThreadAfterDays: 60 } };
    const { chatThread } = await this.ada.client.call(
      "createChatThread",
      { topic },
      { participants, ...(this.features.threadExtras ? extras : {}) },
    );
    this.id = chatThread.id;
    this.rest = this.ada.person.chat.getChatThreadClient(this.id);
    const properties = await this.rest.getProperties();
    assert.equal(properties.topic, topic);
    const members = await this.#participants();
    await this.#receive("chatThreadCreated", () => ({
      threadId: this.id,
      createdOn: properties.createdOn,
      createdBy: actor(this.ada),
      participants: members,
      ...this.#properties(properties),
    }));
  }

  async send() {
    const options = { senderDisplayName: "Ada L.", ...(this.features.messageMetadata ? { metadata: messageMetadata } : {}) };
    const { id } = await this.#act(this.ada, "sendMessage", { content }, options);
    const message = await this.rest.getMessage(id);
    assert.equal(message.content.message, content);
    await this.#receive("chatMessageReceived", (recipient) => this.#message(message, recipient));
    return id;
  }

  async sendHTML() {
    await this.#act(this.ben, "sendMessage", { content: "<p>Hi <b>there</b></p>" }, { type: "html" });
    const message = await this.#newest("html");
    await this.#receive("chatMessageReceived", (recipient) => this.#message(message, recipient));
    return message.id;
  }

  async say(content) {
    await this.#act(this.ada, "sendMessage", { content });
    const message = await this.#newest("text");
    await this.#receive("chatMessageReceived", (recipient) => this.#message(message, recipient));
  }

  async type() {
    const receivedOn = new Date();
    assert.equal(await this.#act(this.ben, "sendTypingNotification", { senderDisplayName: "Ben T." }), true);
    await this.#receive("typingIndicatorReceived", (recipient) => ({
      threadId: this.id,
      sender: this.ben.id,
      senderDisplayName: this.features.typingName ? "Ben T." : "",
      recipient: recipient.id,
      receivedOn,
    }));
  }

  async read(message) {
    await this.#act(this.ben, "sendReadReceipt", { chatMessageId: message });
    const [receipt] = await all(this.rest.listReadReceipts());
    await this.#receive("readReceiptReceived", (recipient) => ({
      threadId: this.id,
      chatMessageId: receipt.chatMessageId,
      readOn: receipt.readOn,
      sender: this.ben.id,
      senderDisplayName: "",
      recipient: recipient.id,
    }));
  }

  async edit(id) {
    const metadata = this.features.messageMetadata ? { metadata: { edited: "%41" } } : {};
    await this.#act(this.ada, "updateMessage", id, { content: `${content} edited`, ...metadata });
    const message = await this.rest.getMessage(id);
    assert.equal(message.content.message, `${content} edited`);
    await this.#receive("chatMessageEdited", (recipient) => ({
      ...this.#message(message, recipient),
      editedOn: message.editedOn,
    }));
  }

  async delete(id) {
    await this.#act(this.ben, "deleteMessage", id);
    const message = await this.rest.getMessage(id);
    assert.ok(message.deletedOn);
    await this.#receive("chatMessageDeleted", (recipient) => ({
      ...this.#head(message, recipient),
      deletedOn: message.deletedOn,
    }));
  }

  async update() {
    const other = `${topic} 2`;
    if (this.features.threadExtras) {
      const update = { topic: other, metadata: { "a%20b": "other" }, retentionPolicy: { kind: "none" } };
      await this.#act(this.ada, "updateProperties", update);
    } else {
      await this.#act(this.ada, "updateTopic", other);
    }
    const properties = await this.rest.getProperties();
    assert.equal(properties.topic, other);
    const { createdOn: updatedOn } = await this.#newest("topicUpdated");
    await this.#receive("chatThreadPropertiesUpdated", () => ({
      threadId: this.id,
      updatedOn,
      updatedBy: actor(this.ada),
      ...this.#properties(properties),
    }));
  }

  /** The new participant receives the event too. */
  async add(guest) {
    const participant = { ...guest.person.participant, shareHistoryTime: new Date("2026-01-02T03:04:05Z") };
    const extras = this.features.threadExtras ? { metadata: { role: "guest %41" } } : {};
    await this.#act(this.ada, "addParticipants", { participants: [{ ...participant, ...extras }] });
    this.#listening.push(guest);
    this.#expected.set(guest, []);
    const { createdOn: addedOn } = await this.#newest("participantAdded");
    const added = (await this.#participants()).filter(({ id }) => id.communicationUserId === guest.person.id);
    assert.equal(added.length, 1);
    await this.#receive("participantsAdded", () => ({
      threadId: this.id,
      addedOn,
      addedBy: actor(this.ada),
      participantsAdded: added,
    }));
  }

  /** The removed participant receives that event, and none after it. */
  async remove(guest) {
    await this.#act(this.ben, "removeParticipant", guest.person.user);
    const { createdOn: removedOn } = await this.#newest("participantRemoved");
    await this.#receive("participantsRemoved", () => ({
      threadId: this.id,
      removedOn,
      removedBy: actor(this.ben),
      participantsRemoved: [actor(guest)],
    }));
    this.#listening = this.#listening.filter((member) => member !== guest);
  }

  async end() {
    await this.ada.client.call("deleteChatThread", this.id);
    const { deletedOn } = (await all(this.ada.person.chat.listChatThreads())).find(({ id }) => id === this.id);
    assert.ok(deletedOn);
    await this.#receive("chatThreadDeleted", () => ({
      threadId: this.id,
      deletedOn,
      deletedBy: actor(this.ada),
      ...(this.features.threadExtras ? { reason: "deletedByUser" } : {}),
    }));
  }

  /** Asserts that no client received more than the steps caused, and that all stayed connected. */
  async receivedNothingElse() {
    const connected = this.features.connectionEvents ? ["realTimeNotificationConnected"] : [];
    for (const [{ client }, kinds] of this.#expected) {
      assert.deepEqual(await client.kinds(), [...connected, ...kinds], `what ${client.name} received, in order`);
    }
  }

  #act(member, method, ...args) {
    return member.client.callThread(this.id, method, ...args);
  }

  /** Asserts that each listener receives the event next, with the fields that want returns for it and no others. */
  async #receive(kind, want) {
    for (const member of this.#listening) {
      const kinds = this.#expected.get(member);
      kinds.push(kind);
      const n = kinds.filter((other) => other === kind).length;
      const event = await member.client.event(kind, n);
      assertEvent(event, want(member), `${kind} as ${member.client.name} received it`);
    }
  }

  /** What events of a message have in common. */
  #head(message, recipient) {
    return {
      threadId: this.id,
      id: message.id,
      type: { text: "Text", html: "RichText/Html" }[message.type],
      version: message.version,
      createdOn: message.createdOn,
      sender: message.sender,
      senderDisplayName: message.senderDisplayName ?? "",
      recipient: recipient.id,
    };
  }

  #message(message, recipient) {
    const metadata = { metadata: message.metadata ?? {}, attachments: message.content.attachments ?? [] };
    return {
      ...this.#head(message, recipient),
      message: message.content.message,
      ...(this.features.messageMetadata ? metadata : {}),
    };
  }

  #properties({ topic, metadata = {}, retentionPolicy = { kind: "none" } }) {
    return this.features.threadExtras ? { properties: { topic, metadata }, retentionPolicy } : { properties: { topic } };
  }

  async #participants() {
    return (await all(this.rest.listParticipants())).map((participant) => ({
      id: participant.id,
      displayName: participant.displayName ?? "",
      // REST has 1970 for all of the history, which clients take for no time.
      shareHistoryTime: participant.shareHistoryTime?.getTime() ? participant.shareHistoryTime : undefined,
      ...(this.features.threadExtras ? { metadata: participant.metadata ?? {} } : {}),
    }));
  }

  /** The newest of the messages of a type. */
  async #newest(type) {
    return (await all(this.rest.listMessages())).find((message) => message.type === type);
  }
}

/** A participant who did something, as events show it. */
function actor({ id, displayName }) {
  return { id, displayName };
}
