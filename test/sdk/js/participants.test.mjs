import assert from "node:assert/strict";
import { test } from "node:test";

import { all, assertStatus, foreignUserId, newPeople, newThread, pages, userIdOf } from "./support.mjs";

function idsOf(participants) {
  return participants.map((participant) => userIdOf(participant.id));
}

test("participants come in pages", async () => {
  const [ada, ben, cleo, dan] = await newPeople("Ada", "Ben", "Cleo", "Dan");
  const thread = await newThread("Pages", ada, ben, cleo, dan);

  const parts = await pages(thread.as(ben).listParticipants({ maxPageSize: 2 }));

  assert.deepEqual(parts.map(idsOf), [
    [ada.id, ben.id],
    [cleo.id, dan.id],
  ]);
  const rest = await all(thread.as(ben).listParticipants({ maxPageSize: 2, skip: 3 }));
  assert.deepEqual(idsOf(rest), [dan.id]);
});

test("a participant of creation shares the whole history", async () => {
  const [ada, ben] = await newPeople("Ada", "Ben");
  const thread = await newThread("History", ada, ben);
  for (const participant of await all(thread.as(ada).listParticipants())) {
    assert.deepEqual(participant.shareHistoryTime, new Date(0));
  }
});

test("a participant added from now on sees only what is new", async () => {
  const [ada, ben, cleo] = await newPeople("Ada", "Ben", "Cleo");
  const thread = await newThread("Newcomer", ada, ben);
  const { id: old } = await thread.as(ada).sendMessage({ content: "before" });

  // The millisecond after the last message: "now" without a race of two clocks.
  const shareHistoryTime = new Date(Number(old) + 1);
  const { invalidParticipants } = await thread
    .as(ada)
    .addParticipants({ participants: [{ ...cleo.participant, shareHistoryTime }] });
  assert.deepEqual(invalidParticipants ?? [], []);
  const { id: recent } = await thread.as(ben).sendMessage({ content: "after" });

  const seen = await all(thread.as(cleo).listMessages());
  assert.deepEqual(seen.map((message) => message.type), ["text", "participantAdded"]);
  assert.equal(seen[0].id, recent);
  assert.equal(seen[0].content.message, "after");
  assert.deepEqual(idsOf(seen[1].content.participants), [cleo.id]);
  assert.equal(userIdOf(seen[1].content.initiator), ada.id);
  await assertStatus(404, () => thread.as(cleo).getMessage(old));

  const participants = await all(thread.as(cleo).listParticipants());
  assert.deepEqual(idsOf(participants), [ada.id, ben.id, cleo.id]);
  assert.equal(participants[2].displayName, "Cleo");
  assert.equal(
    Math.trunc(participants[2].shareHistoryTime.getTime() / 1000),
    Math.trunc(shareHistoryTime.getTime() / 1000),
  );
});

test("a removed participant may no longer take part", async () => {
  const [ada, ben, cleo] = await newPeople("Ada", "Ben", "Cleo");
  const thread = await newThread("Removal", ada, ben, cleo);

  await thread.as(ada).removeParticipant(cleo.user);

  assert.deepEqual(idsOf(await all(thread.as(ada).listParticipants())), [ada.id, ben.id]);
  await assertStatus(403, () => thread.as(cleo).sendMessage({ content: "still here" }));
  await assertStatus(403, () => all(thread.as(cleo).listParticipants()));

  const [latest] = await all(thread.as(ben).listMessages());
  assert.equal(latest.type, "participantRemoved");
  assert.deepEqual(idsOf(latest.content.participants), [cleo.id]);
  assert.equal(userIdOf(latest.content.initiator), ada.id);
});

test("adding tells which participants are invalid", async () => {
  const [ada, ben] = await newPeople("Ada", "Ben");
  const thread = await newThread("Invalid", ada);
  const stranger = foreignUserId();

  const { invalidParticipants } = await thread
    .as(ada)
    .addParticipants({ participants: [{ id: { communicationUserId: stranger } }, ben.participant] });

  assert.deepEqual(
    invalidParticipants.map((error) => [error.code, error.target]),
    [["403", stranger]],
  );
  assert.deepEqual(idsOf(await all(thread.as(ada).listParticipants())), [ada.id, ben.id]);
});

test("adding a participant again changes nothing", async () => {
  const [ada, ben] = await newPeople("Ada", "Ben");
  const thread = await newThread("Twice", ada, ben);
  const { invalidParticipants } = await thread.as(ada).addParticipants({ participants: [ben.participant] });
  assert.deepEqual(invalidParticipants ?? [], []);
  assert.deepEqual(idsOf(await all(thread.as(ada).listParticipants())), [ada.id, ben.id]);
});

test("participants carry metadata", async () => {
  const [ada, ben, cleo] = await newPeople("Ada", "Ben", "Cleo");
  const { chatThread } = await ada.chat.createChatThread(
    { topic: "Metadata" },
    { participants: [{ ...ben.participant, metadata: { role: "agent" } }] },
  );
  const thread = ada.chat.getChatThreadClient(chatThread.id);
  await thread.addParticipants({ participants: [{ ...cleo.participant, metadata: { role: "customer", tier: "gold" } }] });

  const metadata = new Map((await all(thread.listParticipants())).map(({ id, metadata }) => [userIdOf(id), metadata]));
  assert.deepEqual(metadata.get(ben.id), { role: "agent" });
  assert.deepEqual(metadata.get(cleo.id), { role: "customer", tier: "gold" });
});
