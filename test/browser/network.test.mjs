import assert from "node:assert/strict";
import { after } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { Browser } from "./support/browser.mjs";
import { Network } from "./support/network.mjs";
import { shared, writtenIds } from "./support/users.mjs";

const away = 60_000; // longer than the 45 s after which a client misses the answer to its ping

const browser = await Browser.open();
after(() => browser.close());

// The two ways of losing the network take their time together: Ben's browser knows that it is offline, Cleo's does not, and
// neither does the server.
browser.scenario("a page without network for a while misses nothing and receives nothing twice", async (desk) => {
  const [ada, ben, cleo] = await shared.users("Ada", "Ben", "Cleo");
  const thread = await shared.thread("Away", ada, ben, cleo);
  const window = await desk.window();
  const bens = await (await desk.page("chat-1.6.0", { window })).listener(ben, shared.endpoint);
  const network = await Network.open(shared.endpoint);
  try {
    const cleos = await (await desk.page("chat-1.6.0")).listener(cleo, network.endpoint);
    const send = async (content) => (await thread.as(ada).sendMessage({ content })).id;
    const before = await send("before");
    await Promise.all([bens, cleos].map((client) => client.receives([before])));

    await window.setOffline(true);
    network.cut();
    const end = Date.now() + away;
    for (let n = 1; Date.now() < end; n++) {
      await send(`meanwhile ${n}`);
      await pause(away / 30); // spreads the messages over the time that is to pass
    }
    for (const client of [bens, cleos]) {
      assert.deepEqual(await client.messageIds(), [before], `${client.name} is cut off`);
      await client.disconnected(1);
    }
    await window.setOffline(false);
    network.restore();
    await send("after");

    const ids = await writtenIds(thread.as(ada));
    for (const client of [bens, cleos]) {
      await client.receives(ids, { within: 60_000 });
      const disconnections = await client.count("realTimeNotificationDisconnected");
      await client.connected(1 + disconnections);
      desk.t.diagnostic(`${client.name} was disconnected ${disconnections} times`);
    }
  } finally {
    network.close();
  }
});

browser.scenario("a connection that breaks is made again", async (desk) => {
  const [ada, ben] = await shared.users("Ada", "Ben");
  const thread = await shared.thread("Breaks", ada, ben);
  const network = await Network.open(shared.endpoint);
  try {
    const page = await desk.page("chat-1.6.0");
    const bens = await page.listener(ben, network.endpoint);
    const send = (content) => thread.as(ada).sendMessage({ content });
    for (let n = 1; n <= 5; n++) {
      const sent = send(`while it breaks ${n}`);
      network.reset();
      await sent;
      await bens.disconnected(n);
      await send(`while it is broken ${n}`);
      await bens.connected(1 + n);
      await send(`while it is whole ${n}`);
    }
    const ids = await writtenIds(thread.as(ada));
    await bens.receives(ids);
  } finally {
    network.close();
  }
});
