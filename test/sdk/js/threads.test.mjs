import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import {
  all,
  assertAbout,
  assertStatus,
  foreignUserId,
  newPeople,
  newPerson,
  newThread,
  pages,
  userIdOf,
} from "./support.mjs";

test("create a thread with two participants", async () => {
  const [ada, ben, cleo] = await newPeople("Ada", "Ben", "Cleo");
  const { chatThread, invalidParticipants } = await ada.chat.createChatThread(
    { topic: "Launch" },
    { participants: [ben.participant, cleo.participant], idempotencyToken: randomUUID() },
  );

  assert.match(chatThread.id, /^19:[A-Za-z0-9_-]+@thread\.v2$/);
  assert.equal(chatThread.topic, "Launch");
  assert.equal(userIdOf(chatThread.createdBy), ada.id);
  assertAbout(Date.now(), chatThread.createdOn, "createdOn");
  assert.equal(chatThread.deletedOn, undefined);
  assert.deepEqual(invalidParticipants ?? [], []);

  const participants = await all(ada.chat.getChatThreadClient(chatThread.id).listParticipants());
  assert.deepEqual(
    participants.map((participant) => [userIdOf(participant.id), participant.displayName]),
    [
      [ada.id, undefined],
      [ben.id, "Ben"],
      [cleo.id, "Cleo"],
    ],
  );
});

test("creating again with the same idempotency token gives the same thread", async () => {
  const [ada, ben] = await newPeople("Ada", "Ben");
  const create = (idempotencyToken) =>
    ada.chat.createChatThread({ topic: "Once" }, { participants: [ben.participant], idempotencyToken });

  const idempotencyToken = randomUUID();
  const first = await create(idempotencyToken);
  const again = await create(idempotencyToken);
  const other = await create(randomUUID());

  assert.equal(again.chatThread.id, first.chatThread.id);
  assert.deepEqual(again.chatThread.createdOn, first.chatThread.createdOn);
  assert.notEqual(other.chatThread.id, first.chatThread.id);
  const ids = (await all(ada.chat.listChatThreads())).map((thread) => thread.id);
  assert.deepEqual(ids.sort(), [first.chatThread.id, other.chatThread.id].sort());
});

test("a participant of another resource is listed as invalid", async () => {
  const [ada, ben] = await newPeople("Ada", "Ben");
  const stranger = foreignUserId();
  const { chatThread, invalidParticipants } = await ada.chat.createChatThread(
    { topic: "Guests" },
    { participants: [ben.participant, { id: { communicationUserId: stranger }, displayName: "Nobody" }] },
  );

  assert.equal(invalidParticipants.length, 1);
  assert.equal(invalidParticipants[0].code, "403");
  assert.equal(invalidParticipants[0].target, stranger);
  assert.equal(invalidParticipants[0].message, "Permissions check failed");
  const participants = await all(ada.chat.getChatThreadClient(chatThread.id).listParticipants());
  assert.deepEqual(participants.map((participant) => userIdOf(participant.id)), [ada.id, ben.id]);
});

test("the list of threads holds the user's threads", async () => {
  const [ada, ben] = await newPeople("Ada", "Ben");
  const shared = await newThread("Shared", ada, ben);
  const alone = await newThread("Alone", ada);

  const adas = await all(ada.chat.listChatThreads());
  assert.equal(adas.length, 2);
  assert.equal(adas.find((item) => item.id === shared.id).topic, "Shared");
  assert.equal(adas.find((item) => item.id === alone.id).topic, "Alone");

  const bens = await all(ben.chat.listChatThreads());
  assert.deepEqual(bens.map((item) => [item.id, item.topic]), [[shared.id, "Shared"]]);
});

test("the list of threads comes in pages, the one last written to first", async () => {
  const ada = await newPerson("Ada");
  const threads = [];
  for (const topic of ["One", "Two", "Three"]) {
    threads.push(await newThread(topic, ada));
  }
  // The two messages that begin a thread have two milliseconds, however fast the thread was made: the third message
  // here is later than both of any thread.
  let id;
  for (const content of ["up", "and", "up"]) {
    ({ id } = await threads[0].as(ada).sendMessage({ content }));
  }

  const seen = (await pages(ada.chat.listChatThreads({ maxPageSize: 2 }))).flat();
  assert.deepEqual(seen.map((item) => item.topic), ["One", "Three", "Two"]);
  assert.equal(Math.trunc(Number(id) / 1000), seen[0].lastMessageReceivedOn.getTime() / 1000);
});

test("the properties of a thread are the same for every participant", async () => {
  const [ada, ben] = await newPeople("Ada", "Ben");
  const thread = await newThread("Properties", ada, ben);
  for (const person of [ada, ben]) {
    const properties = await thread.as(person).getProperties();
    assert.equal(properties.id, thread.id);
    assert.equal(properties.topic, "Properties");
    assert.equal(userIdOf(properties.createdBy), ada.id);
    assert.deepEqual(properties.createdOn, thread.properties.createdOn);
  }
});

test("a new topic is shown in the properties and told to the thread", async () => {
  const [ada, ben] = await newPeople("Ada", "Ben");
  const thread = await newThread("Before", ada, ben);

  await thread.as(ben).updateTopic("After");

  assert.equal((await thread.as(ada).getProperties()).topic, "After");
  const [latest] = await all(thread.as(ada).listMessages());
  assert.equal(latest.type, "topicUpdated");
  assert.equal(latest.sequenceId, "3");
  assert.equal(latest.content.topic, "After");
  assert.equal(userIdOf(latest.content.initiator), ben.id);
  const [item] = await all(ada.chat.listChatThreads());
  assert.equal(item.topic, "After");
});

test("a deleted thread is gone, and listed as deleted", async () => {
  const [ada, ben] = await newPeople("Ada", "Ben");
  const thread = await newThread("Short", ada, ben);
  await thread.as(ben).sendMessage({ content: "Bye" });

  await ada.chat.deleteChatThread(thread.id);

  await assertStatus(404, () => thread.as(ada).getProperties());
  await assertStatus(404, () => all(thread.as(ben).listMessages()));
  await assertStatus(404, () => thread.as(ben).sendMessage({ content: "Too late" }));
  const [item] = await all(ada.chat.listChatThreads());
  assert.equal(item.id, thread.id);
  assertAbout(Date.now(), item.deletedOn, "deletedOn");
});

test("metadata of a thread is merged by key", async () => {
  const ada = await newPerson("Ada");
  const { chatThread } = await ada.chat.createChatThread(
    { topic: "Metadata" },
    { metadata: { project: "apollo", stage: "draft" } },
  );
  assert.deepEqual(chatThread.metadata, { project: "apollo", stage: "draft" });

  const thread = ada.chat.getChatThreadClient(chatThread.id);
  await thread.updateProperties({ metadata: { stage: "final", owner: "ada" } });
  assert.deepEqual((await thread.getProperties()).metadata, { project: "apollo", stage: "final", owner: "ada" });

  await thread.updateProperties({ topic: "Renamed", metadata: { project: "" } });
  const properties = await thread.getProperties();
  assert.equal(properties.topic, "Renamed");
  assert.deepEqual(properties.metadata, { stage: "final", owner: "ada" });
});

test("the retention policy is kept and can be changed", async () => {
  const ada = await newPerson("Ada");
  const retentionPolicy = { kind: "threadCreationDate", deleteThreadAfterDays: 40 };
  const { chatThread } = await ada.chat.createChatThread({ topic: "Retention" }, { retentionPolicy });
  assert.deepEqual(chatThread.retentionPolicy, retentionPolicy);

  const thread = ada.chat.getChatThreadClient(chatThread.id);
  assert.deepEqual((await thread.getProperties()).retentionPolicy, retentionPolicy);
  await thread.updateProperties({ retentionPolicy: { kind: "none" } });
  assert.deepEqual((await thread.getProperties()).retentionPolicy, { kind: "none" });
});
