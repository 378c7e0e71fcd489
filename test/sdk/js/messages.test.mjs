import assert from "node:assert/strict";
import { test } from "node:test";

import {
  all,
  assertAbout,
  assertStatus,
  newPeople,
  newPerson,
  newThread,
  pages,
  userIdOf,
} from "./support.mjs";

test("a thread begins with two system messages", async () => {
  const [ada, ben, cleo] = await newPeople("Ada", "Ben", "Cleo");
  const thread = await newThread("Beginnings", ada, ben, cleo);

  const [topicUpdated, participantAdded, ...rest] = await all(thread.as(ben).listMessages());
  assert.deepEqual(rest, []);

  assert.equal(participantAdded.type, "participantAdded");
  assert.equal(participantAdded.sequenceId, "1");
  assert.equal(userIdOf(participantAdded.content.initiator), ada.id);
  assert.deepEqual(
    participantAdded.content.participants.map((participant) => [userIdOf(participant.id), participant.displayName]),
    [
      [ada.id, undefined],
      [ben.id, "Ben"],
      [cleo.id, "Cleo"],
    ],
  );

  assert.equal(topicUpdated.type, "topicUpdated");
  assert.equal(topicUpdated.sequenceId, "2");
  assert.equal(topicUpdated.content.topic, "Beginnings");
  assert.equal(userIdOf(topicUpdated.content.initiator), ada.id);

  for (const message of [participantAdded, topicUpdated]) {
    assert.equal(message.sender, undefined);
    assert.equal(message.senderDisplayName, undefined);
  }
});

test("a text message comes back as it was sent", async () => {
  const [ada, ben] = await newPeople("Ada", "Ben");
  const thread = await newThread("Text", ada, ben);
  const content = 'Zażółć gęślą jaźń 🚀 <not html> & "quotes"\nsecond line';
  const metadata = { priority: "high", "trace id": "α/β" };

  const { id } = await thread.as(ada).sendMessage({ content }, { senderDisplayName: "Ada L.", metadata });

  const message = await thread.as(ben).getMessage(id);
  assert.equal(message.id, id);
  assert.equal(message.version, id);
  assert.equal(message.type, "text");
  assert.equal(message.sequenceId, "3");
  assert.equal(message.content.message, content);
  assert.equal(message.senderDisplayName, "Ada L.");
  assert.equal(userIdOf(message.sender), ada.id);
  assert.deepEqual(message.metadata, metadata);
  assertAbout(Date.now(), message.createdOn, "createdOn");
  assert.equal(message.createdOn.getTime() / 1000, Math.trunc(Number(id) / 1000));
  assert.equal(message.editedOn, undefined);
  assert.equal(message.deletedOn, undefined);
});

test("an html message keeps its type and harmless tags", async () => {
  const ada = await newPerson("Ada");
  const thread = await newThread("Html", ada);
  const content = "<p>Hello <strong>there</strong></p>";

  const { id } = await thread.as(ada).sendMessage({ content }, { type: "html" });

  const message = await thread.as(ada).getMessage(id);
  assert.equal(message.type, "html");
  assert.equal(message.content.message, content);
});

test("messages are listed newest first", async () => {
  const [ada, ben] = await newPeople("Ada", "Ben");
  const thread = await newThread("Order", ada, ben);
  await thread.as(ada).sendMessage({ content: "one" });
  await thread.as(ben).sendMessage({ content: "two" }, { senderDisplayName: "Ben" });
  await thread.as(ada).sendMessage({ content: "<b>three</b>" }, { type: "html" });

  const messages = await all(thread.as(ben).listMessages());
  assert.deepEqual(
    messages.map((message) => [message.sequenceId, message.type, message.content.message]),
    [
      ["5", "html", "<b>three</b>"],
      ["4", "text", "two"],
      ["3", "text", "one"],
      ["2", "topicUpdated", undefined],
      ["1", "participantAdded", undefined],
    ],
  );
  assert.equal(userIdOf(messages[1].sender), ben.id);
  assert.equal(messages[1].senderDisplayName, "Ben");
});

test("pages of two hold each message exactly once", async () => {
  const ada = await newPerson("Ada");
  const thread = await newThread("Pages", ada);
  for (const content of ["a", "b", "c", "d"]) {
    await thread.as(ada).sendMessage({ content });
  }

  const parts = await pages(thread.as(ada).listMessages({ maxPageSize: 2 }));

  // A full page is always followed by another, so an even number ends with an empty page.
  assert.deepEqual(parts.map((page) => page.length), [2, 2, 2, 0]);
  assert.deepEqual(parts.flat().map((message) => message.sequenceId), ["6", "5", "4", "3", "2", "1"]);
});

test("messages from a start time leave out the older ones", async () => {
  const ada = await newPerson("Ada");
  const thread = await newThread("Start", ada);
  const { id: old } = await thread.as(ada).sendMessage({ content: "old" });
  const { id: recent } = await thread.as(ada).sendMessage({ content: "recent" });

  const messages = await all(thread.as(ada).listMessages({ startTime: new Date(Number(old) + 1) }));
  assert.deepEqual(messages.map((message) => message.id), [recent]);
});

test("an edit changes content and metadata and sets editedOn", async () => {
  const [ada, ben] = await newPeople("Ada", "Ben");
  const thread = await newThread("Edit", ada, ben);
  const { id } = await thread.as(ada).sendMessage({ content: "draft" }, { metadata: { kept: "1", changed: "2", gone: "3" } });
  const before = await thread.as(ada).getMessage(id);

  await thread.as(ada).updateMessage(id, {
    content: "final",
    metadata: { changed: "20", added: "4", gone: "" },
  });

  const after = await thread.as(ben).getMessage(id);
  assert.equal(after.content.message, "final");
  assert.deepEqual(after.metadata, { kept: "1", changed: "20", added: "4" });
  assertAbout(Date.now(), after.editedOn, "editedOn");
  assert.equal(after.sequenceId, before.sequenceId);
  assert.deepEqual(after.createdOn, before.createdOn);
  assert.ok(Number(after.version) > Number(before.version), `${after.version} is later than ${before.version}`);
});

test("a deleted message stays as an empty one", async () => {
  const [ada, ben] = await newPeople("Ada", "Ben");
  const thread = await newThread("Delete", ada, ben);
  const { id } = await thread.as(ada).sendMessage({ content: "oops" }, { metadata: { key: "value" } });

  await thread.as(ada).deleteMessage(id);

  const message = await thread.as(ben).getMessage(id);
  assert.equal(message.content?.message ?? "", "");
  assertAbout(Date.now(), message.deletedOn, "deletedOn");
  assert.equal(message.sequenceId, "3");
});

test("nobody edits or deletes another's message", async () => {
  const [ada, ben] = await newPeople("Ada", "Ben");
  const thread = await newThread("Mine", ada, ben);
  const { id } = await thread.as(ada).sendMessage({ content: "mine" });

  await assertStatus(403, () => thread.as(ben).updateMessage(id, { content: "yours" }));
  await assertStatus(403, () => thread.as(ben).deleteMessage(id));

  const message = await thread.as(ada).getMessage(id);
  assert.equal(message.content.message, "mine");
  assert.equal(message.editedOn, undefined);
});

test("a message id that is no number is refused, an unknown one not found", async () => {
  const ada = await newPerson("Ada");
  const thread = await newThread("Ids", ada);
  await assertStatus(400, () => thread.as(ada).getMessage("invalid_chat_message_id"));
  await assertStatus(404, () => thread.as(ada).getMessage("1600000000000"));
});

test("a read receipt is listed with its sender and message", async () => {
  const [ada, ben] = await newPeople("Ada", "Ben");
  const thread = await newThread("Receipts", ada, ben);
  const { id: first } = await thread.as(ada).sendMessage({ content: "read me" });
  const { id: second } = await thread.as(ada).sendMessage({ content: "and me" });
  assert.deepEqual(await all(thread.as(ada).listReadReceipts()), []);

  await thread.as(ben).sendReadReceipt({ chatMessageId: first });
  await thread.as(ben).sendReadReceipt({ chatMessageId: second });

  const receipts = await all(thread.as(ada).listReadReceipts());
  assert.equal(receipts.length, 1);
  assert.equal(userIdOf(receipts[0].sender), ben.id);
  assert.equal(receipts[0].chatMessageId, second);
  assertAbout(Date.now(), receipts[0].readOn, "readOn");
  await assertStatus(404, () => thread.as(ben).sendReadReceipt({ chatMessageId: "1600000000000" }));
});

test("a typing notification is taken", async () => {
  const [ada, ben] = await newPeople("Ada", "Ben");
  const thread = await newThread("Typing", ada, ben);
  assert.equal(await thread.as(ada).sendTypingNotification(), true);
  assert.equal(await thread.as(ben).sendTypingNotification({ senderDisplayName: "Ben" }), true);
});
