import assert from "node:assert/strict";
import { after } from "node:test";

import { Browser } from "./support/browser.mjs";
import { converse, connectUsers } from "./support/conversation.mjs";
import { Network } from "./support/network.mjs";
import { shared } from "./support/users.mjs";

const browser = await Browser.open();
after(() => browser.close());

for (const version of ["1.6.0", "1.6.0-beta.7", "1.5.4"]) {
  browser.scenario(`all ten events, chat ${version}`, async (desk) => {
    await converse(await connectUsers(desk, version));
  });
}

browser.scenario("all ten events where there are no websockets", async (desk) => {
  const prepare = () => delete window.WebSocket;
  const clients = await connectUsers(desk, "1.6.0", { prepare });
  await converse(clients);
  for (const { client } of [clients.ada, clients.ben]) {
    assert.ok(client.page.polls > 0, `${client.name} polls`);
    assert.equal(client.page.links.length, 0);
  }
});

for (const version of ["1.6.0", "1.5.4"]) {
  browser.scenario(`a message that is sent as soon as notifications are started, chat ${version}`, async (desk) => {
    const [ada, ben] = await shared.users("Ada", "Ben");
    const thread = await shared.thread("Quickstart", ada, ben);
    for (let i = 0; i < 12; i++) {
      const page = await desk.page(`chat-${version}`);
      const client = await page.client(ada, shared.endpoint);
      const sent = await client.harness("startAndSend", thread.id, `message ${i}`);
      await client.receives([sent]);
      await page.close();
    }
  });
}

browser.scenario("a page is notified of its connection", async (desk) => {
  const ada = await shared.user("Ada");
  const network = await Network.open(shared.endpoint);
  try {
    const client = await (await desk.page("chat-1.6.0")).listener(ada, network.endpoint);
    assert.deepEqual(await client.kinds(), ["realTimeNotificationConnected"]);

    network.reset();

    await client.connected(2);
    assert.deepEqual(await client.kinds(), [
      "realTimeNotificationConnected",
      "realTimeNotificationDisconnected",
      "realTimeNotificationConnected",
    ]);
  } finally {
    network.close();
  }
});
