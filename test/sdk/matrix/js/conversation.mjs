// One conversation, in the vocabulary of the release's API. It is read from standard input, with the folder of
// the release as the working directory, so that the imports below find the release. Each operation ends as one line
// of JSON on standard output: passed, failed with the reason, or absent from the API.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

const { CHATD_CONNECTION_STRING: connectionString, CHATD_API: generation, CHATD_ABSENT: absentList } = process.env;
const absent = JSON.parse(absentList);
const endpoint = /endpoint=([^;]+)/.exec(connectionString)[1];
const nowhere = `19:${"0".repeat(32)}@thread.v2`;

const chatPackage = await import("@azure/communication-chat");
const common = await import("@azure/communication-common");
const identityPackage = await import(
  generation === "preview2" || generation === "preview3"
    ? "@azure/communication-administration"
    : "@azure/communication-identity"
);

// The API since 1.0.0. The previews below it say what was different.
class Stable {
  participantKey = "id";

  identity(text = connectionString) {
    return new identityPackage.CommunicationIdentityClient(text);
  }

  issueToken(user) {
    return identity.getToken(user, ["chat"]);
  }

  credential(token) {
    return new common.AzureCommunicationTokenCredential(token);
  }

  chat(token) {
    return new chatPackage.ChatClient(endpoint, this.credential(token));
  }

  participant(user, displayName) {
    return { [this.participantKey]: user, displayName };
  }

  /** Creates a thread and returns its id, and its properties where the answer holds them. */
  async createThread(person, topic, guests, options = {}) {
    const participants = guests.map((guest) => this.participant(guest.user, guest.name));
    const result = await person.chat.createChatThread({ topic }, { participants, ...options });
    assert.deepEqual(result.invalidParticipants ?? [], []);
    return result.chatThread;
  }

  idempotency(token) {
    return { idempotencyToken: token };
  }

  getThread(person, id) {
    return person.chat.getChatThreadClient(id).getProperties();
  }

  updateTopic(thread, topic) {
    return thread.updateTopic(topic);
  }

  async addParticipant(thread, person) {
    const result = await thread.addParticipants({ participants: [this.participant(person.user, person.name)] });
    assert.deepEqual(result.invalidParticipants ?? result.errors?.invalidParticipants ?? [], []);
  }

  listParticipants(thread) {
    return all(thread.listParticipants({ maxPageSize: 2 }));
  }

  removeParticipant(thread, person) {
    return thread.removeParticipant(person.user);
  }

  sendOptions = { senderDisplayName: "Ada", type: "text" };

  checkSent(message) {
    assert.equal(message.type, "text");
    assert.equal(message.sequenceId, "4", "after the two system messages of the creation and that of the new topic");
  }

  textOf(message) {
    return message.content.message;
  }

  idOf(identifier) {
    return identifier.communicationUserId;
  }

  /** A system message in brief: what happened, who did it, and to what or whom. */
  systemMessage({ type, content }) {
    switch (type) {
      case "participantAdded":
      case "participantRemoved":
        return [type, this.initiatorOf(content), ...content.participants.map((each) => this.memberId(each))];
      case "topicUpdated":
        return [type, this.initiatorOf(content), content.topic];
    }
  }

  initiatorOf(content) {
    return this.idOf(content.initiator);
  }

  memberId(participant) {
    return this.idOf(participant[this.participantKey]);
  }

  /** The call must be refused with the HTTP status. */
  async refused(status, call) {
    await assert.rejects(call, (error) => {
      assert.equal(error.statusCode, status, `${error.name}: ${error.message}`);
      return true;
    });
  }
}

// 1.0.0-beta.5: errors are nested, the token has another name, and threads are read by the chat client.
class Preview4 extends Stable {
  async createThread(person, topic, guests, options = {}) {
    const participants = guests.map((guest) => this.participant(guest.user, guest.name));
    const result = await person.chat.createChatThread({ topic, participants }, options);
    assert.deepEqual(result.errors?.invalidParticipants ?? [], []);
    return result.chatThread;
  }

  idempotency(token) {
    return { repeatabilityRequestId: token };
  }

  getThread(person, id) {
    return person.chat.getChatThread(id);
  }

  // The release promises content.initiator and leaves it under the name, and in the form, that it has on the wire.
  initiatorOf(content) {
    return content.initiatorCommunicationIdentifier.communicationUser.id;
  }
}

// 1.0.0-beta.4: users are plain strings in the answers, and the identity client is that of the administration package.
class Preview3 extends Preview4 {
  participantKey = "user";

  issueToken(user) {
    return identity.issueToken(user, ["chat"]);
  }

  idempotency(token) {
    return { repeatabilityRequestID: token };
  }

  updateTopic(thread, topic) {
    return thread.updateThread({ topic });
  }

  idOf(identifier) {
    return typeof identifier === "string" ? identifier : identifier.communicationUserId;
  }

  initiatorOf(content) {
    return content.initiator;
  }
}

// 1.0.0-beta.1 to beta.3: members, of whom the caller must be one, priorities, and system messages in XML.
class Preview2 extends Preview3 {
  sendOptions = { senderDisplayName: "Ada", priority: "High" };

  credential(token) {
    return new common.AzureCommunicationUserCredential(token);
  }

  async createThread(person, topic, guests) {
    const members = [person, ...guests].map((guest) => this.participant(guest.user, guest.name));
    const { threadId } = await person.chat.createChatThread({ topic, members });
    return { id: threadId };
  }

  async addParticipant(thread, person) {
    await thread.addMembers({ members: [this.participant(person.user, person.name)] });
  }

  listParticipants(thread) {
    return all(thread.listMembers());
  }

  removeParticipant(thread, person) {
    return thread.removeMember(person.user);
  }

  checkSent(message) {
    assert.equal(message.type, "Text");
    assert.equal(message.priority, "High");
  }

  textOf(message) {
    return message.content;
  }

  systemMessage({ type, content, sender }) {
    const values = (name) => Array.from(content.matchAll(`<${name}>(.*?)</${name}>`), ([, value]) => value);
    const names = {
      "ThreadActivity/AddMember": "participantAdded",
      "ThreadActivity/DeleteMember": "participantRemoved",
      "ThreadActivity/TopicUpdate": "topicUpdated",
    };
    if (type in names) {
      assert.equal(sender.communicationUserId, threadId, "the sender of a system message is the thread");
      return [names[type], ...values("initiator"), ...values("target"), ...values("value")];
    }
  }

  // The chat client resolves a 401 or 403 like a success; its caller has to look at the response. All else rejects.
  async refused(status, call) {
    const answer = await call.catch((error) => {
      assert.ok(error.statusCode, error.stack);
      return { _response: { status: error.statusCode } };
    });
    assert.equal(answer._response.status, status);
  }
}

const api = new { stable: Stable, preview4: Preview4, preview3: Preview3, preview2: Preview2 }[generation]();

async function all(iterator) {
  const items = [];
  for await (const item of iterator) {
    items.push(item);
  }
  return items;
}

function assertNow(time) {
  assert.ok(time instanceof Date, `${time} is no date`);
  assert.ok(Math.abs(Date.now() - time.getTime()) < 60_000, `${time.toISOString()} is not now`);
}

function assertToken({ token, expiresOn }) {
  assert.equal(token.split(".").length, 3);
  const hours = (expiresOn.getTime() - Date.now()) / 3_600_000;
  assert.ok(Math.abs(hours - 24) < 0.1, `the token is valid for ${hours} hours`);
}

/** A token of the right shape and far expiry that nobody signed. */
function garbageToken() {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const parts = [{ alg: "RS256", typ: "JWT" }, { skypeid: "acs:nobody", exp: 4102444800 }, "nobody"];
  return parts.map(part).join(".");
}

const failed = new Set();

/** Does one operation and reports it. One that needs the result of a failed one fails with it. */
async function operation(name, ...rest) {
  const [needs, act] = rest.length === 2 ? rest : [[], rest[0]];
  const report = (result, reason) => process.stdout.write(`${JSON.stringify({ operation: name, result, reason })}\n`);
  if (absent.includes(name)) {
    return report("absent");
  }
  const missing = needs.find((need) => failed.has(need));
  if (missing) {
    failed.add(name);
    return report("failed", `needs "${missing}"`);
  }
  try {
    await act();
    report("passed");
  } catch (error) {
    failed.add(name);
    process.stderr.write(`${name}: ${error.stack}\n`);
    report("failed", `${error.name}: ${error.message}`.split("\n")[0]);
  }
}

const identity = api.identity();
const [ada, ben, cleo, dan] = ["Ada", "Ben", "Cleo", "Dan"].map((name) => ({ name }));
let threadId, text, html, extra;

/** The thread as the person sees it. The oldest previews give it as a promise. */
const as = async (person, id = threadId) => person.chat.getChatThreadClient(id);
const getMessage = async (person, id) => (await as(person)).getMessage(id);
const listMessages = async (person) => all((await as(person)).listMessages());
const participantIds = async (person) =>
  (await api.listParticipants(await as(person))).map((participant) => api.memberId(participant));

await operation("create user", async () => {
  for (const person of [ada, ben, cleo]) {
    person.user = await identity.createUser();
    person.id = person.user.communicationUserId;
    assert.match(person.id, /^8:acs:[0-9a-f-]{36}_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  }
});

await operation("issue token", ["create user"], async () => {
  for (const person of [ada, ben, cleo]) {
    const token = await api.issueToken(person.user);
    assertToken(token);
    person.token = token.token;
    person.chat = api.chat(token.token);
  }
});

await operation("create user and token", async () => {
  const { user, token, expiresOn } = await identity.createUserAndToken(["chat"]);
  assertToken({ token, expiresOn });
  assert.match(user.communicationUserId, /^8:acs:/);
  assert.deepEqual(await all(api.chat(token).listChatThreads()), []);
});

await operation("create thread", ["issue token"], async () => {
  const created = await api.createThread(ada, "Launch", [ben]);
  threadId = created.id;
  assert.match(threadId, /^19:[A-Za-z0-9_-]+@thread\.v2$/);
});

await operation("create thread again", ["create thread"], async () => {
  const create = (token) => api.createThread(ada, "Once", [ben], api.idempotency(token));
  const token = randomUUID();
  const first = await create(token);
  const again = await create(token);
  const other = await create(randomUUID());
  assert.equal(again.id, first.id);
  assert.deepEqual(again.createdOn, first.createdOn);
  assert.notEqual(other.id, first.id);
  for (const { id } of [first, other]) {
    await ada.chat.deleteChatThread(id);
  }
});

await operation("get thread", ["create thread"], async () => {
  const properties = await api.getThread(ben, threadId);
  assert.equal(properties.id, threadId);
  assert.equal(properties.topic, "Launch");
  assert.equal(api.idOf(properties.createdBy), ada.id);
  assertNow(properties.createdOn);
  if (generation === "preview2") {
    assert.deepEqual(properties.members.map((member) => api.memberId(member)), [ada.id, ben.id]);
  }
});

await operation("list threads", ["create thread"], async () => {
  const threads = (await all(ben.chat.listChatThreads({ maxPageSize: 1 }))).filter((item) => !item.deletedOn);
  assert.deepEqual(threads.map(({ id, topic }) => [id, topic]), [[threadId, "Launch"]]);
  assertNow(threads[0].lastMessageReceivedOn);
});

await operation("update topic", ["get thread"], async () => {
  await api.updateTopic(await as(ada), "Launch on Friday");
  assert.equal((await api.getThread(ben, threadId)).topic, "Launch on Friday");
});

await operation("thread metadata", ["get thread"], async () => {
  const { id } = await api.createThread(ada, "Short-lived", [ben], {
    metadata: { kind: "incident", owner: "Ada" },
    retentionPolicy: { kind: "threadCreationDate", deleteThreadAfterDays: 60 },
  });
  const created = await api.getThread(ben, id);
  assert.deepEqual(created.metadata, { kind: "incident", owner: "Ada" });
  assert.deepEqual(created.retentionPolicy, { kind: "threadCreationDate", deleteThreadAfterDays: 60 });
  await (await as(ada, id)).updateProperties({
    topic: "Kept",
    metadata: { owner: "Ben" },
    retentionPolicy: { kind: "none" },
  });
  const updated = await api.getThread(ben, id);
  assert.equal(updated.topic, "Kept");
  assert.deepEqual(updated.metadata, { kind: "incident", owner: "Ben" });
  assert.deepEqual(updated.retentionPolicy, { kind: "none" });
  await ada.chat.deleteChatThread(id);
});

await operation("send message", ["update topic"], async () => {
  const sent = await (await as(ada)).sendMessage({ content: "Hello Ben" }, api.sendOptions);
  text = sent.id;
  assert.match(text, /^\d{13,}$/);
});

await operation("send html", ["create thread"], async () => {
  const content = "<p>Hello <b>Ben</b></p>";
  html = (await (await as(ada)).sendMessage({ content }, { type: "html" })).id;
  const message = await getMessage(ben, html);
  assert.equal(message.type, "html");
  assert.equal(api.textOf(message), content);
});

await operation("message metadata", ["create thread"], async () => {
  const options = { metadata: { tags: "greeting", lang: "en" } };
  extra = (await (await as(ada)).sendMessage({ content: "Hi" }, options)).id;
  assert.deepEqual((await getMessage(ben, extra)).metadata, { tags: "greeting", lang: "en" });
  await (await as(ada)).updateMessage(extra, { metadata: { lang: "de" } });
  const message = await getMessage(ben, extra);
  assert.deepEqual(message.metadata, { tags: "greeting", lang: "de" });
  assert.equal(api.textOf(message), "Hi");
});

await operation("get message", ["send message"], async () => {
  const message = await getMessage(ben, text);
  assert.equal(message.id, text);
  assert.equal(message.version, text);
  assert.equal(api.textOf(message), "Hello Ben");
  assert.equal(api.idOf(message.sender), ada.id);
  assert.equal(message.senderDisplayName, "Ada");
  assertNow(message.createdOn);
  assert.equal(message.editedOn, undefined);
  assert.equal(message.deletedOn, undefined);
  api.checkSent(message);
});

await operation("list messages", ["send message"], async () => {
  const ids = (await listMessages(ben)).map(({ id }) => id);
  assert.deepEqual(ids, [...ids].sort().reverse(), "the newest message comes first");
  assert.deepEqual(ids.slice(0, -3), [extra, html, text].filter(Boolean), "all but the three system messages");
  const pages = await all((await as(ben)).listMessages({ maxPageSize: 2 }).byPage());
  const sizes = pages.map((page) => page.length);
  assert.ok(sizes.length > 1 && sizes.every((size) => size <= 2), `pages of ${sizes}`);
  assert.deepEqual(pages.flat().map(({ id }) => id), ids);
});

await operation("system messages", ["list messages"], async () => {
  const messages = (await listMessages(ben)).slice(-3);
  assert.deepEqual(messages.map((message) => api.systemMessage(message)), [
    ["topicUpdated", ada.id, "Launch on Friday"],
    ["topicUpdated", ada.id, "Launch"],
    ["participantAdded", ada.id, ada.id, ben.id],
  ]);
});

await operation("update message", ["get message"], async () => {
  await (await as(ada)).updateMessage(text, { content: "Hello Ben and all" });
  const message = await getMessage(ben, text);
  assert.equal(api.textOf(message), "Hello Ben and all");
  assert.equal(message.senderDisplayName, "Ada");
  assertNow(message.editedOn);
  assert.notEqual(message.version, text);
});

await operation("delete message", ["create thread"], async () => {
  const { id } = await (await as(ada)).sendMessage({ content: "Never mind" });
  await (await as(ada)).deleteMessage(id);
  const message = await getMessage(ben, id);
  assertNow(message.deletedOn);
  assert.ok(!message.content || !api.textOf(message), "a deleted message has no text");
});

await operation("images", ["create thread"], async () => {
  const pixel = Buffer.from(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
    "base64",
  );
  const chat = await as(ada);
  const image = await chat.uploadImage(new Uint8Array(pixel).buffer, "pixel.png");
  assert.ok(image.id);
  assert.equal(image.attachmentType, "image");
  assert.equal(image.name, "pixel.png");
  const { id } = await chat.sendMessage(
    { content: `<img id="${image.id}" src="">` },
    { type: "html", attachments: [{ id: image.id, attachmentType: "image" }] },
  );
  const { attachments } = (await getMessage(ben, id)).content;
  assert.deepEqual(attachments.map((each) => [each.id, each.attachmentType]), [[image.id, "image"]]);
  const headers = { authorization: `Bearer ${ben.token}` };
  const read = await fetch(new URL(attachments[0].url, endpoint), { headers });
  assert.equal(read.status, 200);
  assert.deepEqual(Buffer.from(await read.arrayBuffer()), pixel);
  await chat.deleteMessage(id);
  await chat.deleteImage(image.id);
});

await operation("typing", ["create thread"], async () => {
  assert.equal(await (await as(ben)).sendTypingNotification(), true);
});

await operation("send receipt", ["send message"], async () => {
  await (await as(ben)).sendReadReceipt({ chatMessageId: text });
});

await operation("list receipts", ["send receipt"], async () => {
  const receipts = await all((await as(ada)).listReadReceipts());
  assert.deepEqual(receipts.map((receipt) => [api.idOf(receipt.sender), receipt.chatMessageId]), [[ben.id, text]]);
  assertNow(receipts[0].readOn);
});

await operation("add participants", ["create thread"], async () => {
  await api.addParticipant(await as(ada), cleo);
  assert.equal((await api.getThread(cleo, threadId)).id, threadId);
  const [newest] = await listMessages(ada);
  assert.deepEqual(api.systemMessage(newest), ["participantAdded", ada.id, cleo.id]);
});

await operation("list participants", ["add participants"], async () => {
  const participants = await api.listParticipants(await as(cleo));
  assert.deepEqual(participants.map((each) => api.memberId(each)), [ada.id, ben.id, cleo.id]);
  assert.deepEqual(participants.slice(1).map((each) => each.displayName), ["Ben", "Cleo"]);
  assert.ok(participants.every((each) => each.shareHistoryTime instanceof Date));
});

await operation("remove participant", ["add participants"], async () => {
  await api.removeParticipant(await as(ada), cleo);
  assert.deepEqual(await participantIds(ada), [ada.id, ben.id]);
  const [newest] = await listMessages(ada);
  assert.deepEqual(api.systemMessage(newest), ["participantRemoved", ada.id, cleo.id]);
});

await operation("unauthorized", async () => {
  await api.refused(401, api.getThread({ chat: api.chat(garbageToken()) }, nowhere));
  const foreign = connectionString.replace(/accesskey=.*/, `accesskey=${Buffer.alloc(64, 7).toString("base64")}`);
  await api.refused(401, api.identity(foreign).createUser());
});

await operation("forbidden", ["remove participant"], async () => {
  await api.refused(403, (await as(cleo)).sendMessage({ content: "Let me in" }));
  await api.refused(403, (await as(cleo)).sendReadReceipt({ chatMessageId: text }));
  dan.user = await identity.createUser();
  dan.chat = api.chat((await api.issueToken(dan.user)).token);
  await api.refused(403, api.getThread(dan, threadId));
  await api.refused(403, getMessage(dan, text));
});

await operation("not found", ["create thread"], async () => {
  await api.refused(404, api.getThread(ada, nowhere));
  await api.refused(404, getMessage(ada, "1600000000000"));
});

await operation("delete thread", ["create thread"], async () => {
  await ada.chat.deleteChatThread(threadId);
  await api.refused(404, api.getThread(ada, threadId));
});

await operation("revoke tokens", ["issue token"], async () => {
  await identity.revokeTokens(ben.user);
  await api.refused(401, api.getThread(ben, nowhere));
  const { token } = await api.issueToken(ben.user);
  await all(api.chat(token).listChatThreads());
});

await operation("delete user", ["issue token"], async () => {
  await identity.deleteUser(ada.user);
  await api.refused(401, api.getThread(ada, nowhere));
  await api.refused(401, api.issueToken(ada.user));
});
