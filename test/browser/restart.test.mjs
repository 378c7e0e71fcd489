import assert from "node:assert/strict";
import { after } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { Browser } from "./support/browser.mjs";
import { Chatd } from "./support/chatd.mjs";
import { Nodes } from "./support/nodes.mjs";
import { Resource, writtenIds } from "./support/users.mjs";
import { eventually } from "./support/wait.mjs";

const kills = 3;

const browser = await Browser.open();
after(() => browser.close());

browser.scenario("the server is killed and started again while messages are sent", async (desk) => {
  const chatd = await (process.env.CHATD_NODES ? Nodes : Chatd).open();
  desk.logs.chatd = () => chatd.log;
  let sender;
  try {
    const resource = new Resource(chatd.connectionString);
    const [ada, ben] = await resource.users("Ada", "Ben");
    const thread = await resource.thread("Restart", ada, ben);
    const listeners = await Promise.all(
      [ada, ben].map(async (person) => (await desk.page("chat-1.6.0")).listener(person, resource.endpoint)),
    );
    sender = new Sender(thread.as(ada));
    for (let kill = 1; kill <= kills; kill++) {
      await received(listeners, sender.ids.length + 25);
      await chatd.kill();
      await Promise.all(listeners.map((client) => client.disconnected(kill)));
      await chatd.start();
      await Promise.all(listeners.map((client) => client.connected(1 + kill, { within: 60_000 })));
    }
    await received(listeners, sender.ids.length + 25);
    await sender.stop();

    // A message that was stored and not acknowledged was sent again and has another id; both are in the thread.
    const stored = await writtenIds(thread.as(ben));
    assert.deepEqual(sender.ids.filter((id) => !stored.includes(id)), [], "acknowledged messages are stored");
    desk.t.diagnostic(`${sender.ids.length} messages acknowledged, ${stored.length} stored`);
    for (const client of listeners) {
      await client.receives(stored);
    }
  } finally {
    await sender?.stop();
    await chatd.close();
  }
});

/** Waits until each of the clients received so many messages. */
function received(clients, n) {
  return eventually(`${n} messages received`, async () => {
    const ids = await Promise.all(clients.map((client) => client.messageIds()));
    return ids.every(({ length }) => length >= n);
  });
}

/** Sends one message after the other until it is stopped, each until it is acknowledged. */
class Sender {
  ids = []; // of those acknowledged
  #stopped = false;
  #done;

  constructor(thread) {
    this.#done = this.#run(thread);
  }

  async #run(thread) {
    while (!this.#stopped) {
      try {
        this.ids.push((await thread.sendMessage({ content: `message ${this.ids.length + 1}` })).id);
      } catch {
        await pause(10); // the server is away
      }
    }
  }

  stop() {
    this.#stopped = true;
    return this.#done;
  }
}
