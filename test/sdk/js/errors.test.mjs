import assert from "node:assert/strict";
import { test } from "node:test";

import {
  all,
  assertStatus,
  chatClientFor,
  garbageToken,
  newPeople,
  newPerson,
  newThread,
  userIdOf,
} from "./support.mjs";

test("a token that nobody signed is refused", async () => {
  const chat = chatClientFor(garbageToken());
  await assertStatus(401, () => all(chat.listChatThreads()));
  await assertStatus(401, () => chat.createChatThread({ topic: "Nothing" }));
});

test("who is not in the thread may not read it", async () => {
  const [ada, eve] = await newPeople("Ada", "Eve");
  const thread = await newThread("Private", ada);
  await assertStatus(403, () => all(thread.as(eve).listMessages()));
  await assertStatus(403, () => thread.as(eve).getProperties());
  await assertStatus(403, () => thread.as(eve).sendMessage({ content: "Hi" }));
});

test("an unknown thread is not found", async () => {
  const ada = await newPerson("Ada");
  const thread = ada.chat.getChatThreadClient(`19:${"0".repeat(32)}@thread.v2`);
  await assertStatus(404, () => thread.getProperties());
  await assertStatus(404, () => all(thread.listParticipants()));
});

test("a malformed participant id fails the whole call", async () => {
  const [ada, ben] = await newPeople("Ada", "Ben");
  const thread = await newThread("Malformed", ada);
  const participants = [ben.participant, { id: { communicationUserId: "8:acs:invalidUserId" } }];

  await assertStatus(400, () => thread.as(ada).addParticipants({ participants }));
  await assertStatus(400, () => ada.chat.createChatThread({ topic: "Malformed" }, { participants }));

  const left = await all(thread.as(ada).listParticipants());
  assert.deepEqual(left.map((participant) => userIdOf(participant.id)), [ada.id]);
});

test("a token for joining may not create a thread", async () => {
  const ada = await newPerson("Ada");
  const joiner = await newPerson("Joe", ["chat.join"]);
  await assertStatus(403, () => joiner.chat.createChatThread({ topic: "Not mine" }));

  const thread = await newThread("Joined", ada, joiner);
  const { id } = await thread.as(joiner).sendMessage({ content: "Hello" });
  assert.equal((await thread.as(ada).getMessage(id)).content.message, "Hello");
});
