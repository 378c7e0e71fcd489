import assert from "node:assert/strict";
import { after } from "node:test";

import { Browser } from "./support/browser.mjs";
import { shared, writtenIds } from "./support/users.mjs";

const browser = await Browser.open();
after(() => browser.close());

/** Ada and Ben in a thread; send is Ada's. */
async function begin() {
  const [ada, ben] = await shared.users("Ada", "Ben");
  const thread = await shared.thread("Tabs", ada, ben);
  const send = async (content) => (await thread.as(ada).sendMessage({ content })).id;
  return { ada, ben, thread, send };
}

browser.scenario("a tab that is closed and opened again receives what is new", async (desk) => {
  const { ben, send } = await begin();
  const window = await desk.window();
  const first = await desk.page("chat-1.6.0", { window });
  const before = await first.listener(ben, shared.endpoint);
  await before.receives([await send("in the first tab")]);
  await first.close();
  await send("while there is no tab");

  const second = await desk.page("chat-1.6.0", { window });
  const later = await second.listener(ben, shared.endpoint);
  await later.receives([await send("in the second tab"), await send("and once more")]);
  assert.deepEqual(await later.kinds(), ["realTimeNotificationConnected", "chatMessageReceived", "chatMessageReceived"]);
});

browser.scenario("a page that is loaded again receives what is new", async (desk) => {
  const { ben, send } = await begin();
  const page = await desk.page("chat-1.6.0");
  await (await page.listener(ben, shared.endpoint)).receives([await send("before")]);

  await page.tab.reload();
  await (await page.listener(ben, shared.endpoint)).receives([await send("after")]);
});

browser.scenario("each of two tabs of a user receives each event once", async (desk) => {
  const { ada, ben, thread, send } = await begin();
  const window = await desk.window();
  const tabs = [];
  for (const name of ["first tab", "second tab"]) {
    tabs.push(await (await desk.page("chat-1.6.0", { window })).listener(ben, shared.endpoint, { name }));
  }
  const both = (act) => Promise.all(tabs.map(act));
  const ids = [await send("one"), await send("two"), await send("three")];
  await both((tab) => tab.receives(ids));
  await thread.as(ada).updateMessage(ids[0], { content: "one, edited" });
  await thread.as(ada).sendTypingNotification();
  await both((tab) => tab.event("chatMessageEdited"));
  await both((tab) => tab.event("typingIndicatorReceived"));

  await tabs[0].stop();
  ids.push(await send("only the second tab"));
  await tabs[1].receives(ids);
  assert.deepEqual(await tabs[0].messageIds(), ids.slice(0, 3));
  assert.equal(await tabs[1].count("realTimeNotificationDisconnected"), 0);
});

browser.scenario("a client that is stopped and started again in one page", async (desk) => {
  const { ben, thread, send } = await begin();
  const page = await desk.page("chat-1.6.0");
  const client = await page.listener(ben, shared.endpoint);
  const expected = [await send("before")];
  await client.receives(expected);

  for (let n = 1; n <= 3; n++) {
    await client.stop();
    await page.gone();
    await send(`while it is stopped ${n}`);
    await client.start();
    expected.push(await send(`started again ${n}`));
    await client.receives(expected);
  }
  assert.equal(await client.count("realTimeNotificationDisconnected"), 0);
  assert.equal((await writtenIds(thread.as(ben))).length, expected.length + 3);
});

browser.scenario("two users share a page", async (desk) => {
  const { ada, ben, send } = await begin();
  const page = await desk.page("chat-1.6.0");
  const clients = [await page.listener(ada, shared.endpoint), await page.listener(ben, shared.endpoint)];
  const ids = [await send("one"), await send("two")];
  for (const [i, person] of [ada, ben].entries()) {
    await clients[i].receives(ids);
    for (const { recipient } of await clients[i].events("chatMessageReceived")) {
      assert.equal(recipient.communicationUserId, person.id);
    }
  }
});
