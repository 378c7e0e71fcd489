import { after } from "node:test";
import { setTimeout as pause } from "node:timers/promises";

import { Browser } from "./support/browser.mjs";
import { shared, writtenIds } from "./support/users.mjs";
import { eventually } from "./support/wait.mjs";

const messages = 1_000;
const seconds = 10;
const tabs = 5;
const clientsPerTab = 10;

const browser = await Browser.open();
after(() => browser.close());

browser.scenario(`${messages} messages in ${seconds} s to ${tabs * clientsPerTab} listeners`, async (desk) => {
  const [sender] = await shared.users("Sender");
  const listeners = await shared.users(...Array.from({ length: tabs * clientsPerTab }, (_, i) => `listener ${i + 1}`));
  const thread = await shared.thread("Storm", sender, ...listeners);
  const clients = [];
  for (let i = 0; i < tabs; i++) {
    const page = await desk.unwatchedPage("chat-1.6.0");
    const here = listeners.slice(i * clientsPerTab, (i + 1) * clientsPerTab);
    clients.push(...(await Promise.all(here.map((person) => page.listener(person, shared.endpoint)))));
  }

  const send = (content) => thread.as(sender).sendMessage({ content });
  const begin = Date.now();
  const sending = [];
  for (let n = 1; n <= messages; n++) {
    sending.push(send(`message ${n}`));
    await pause(Math.max(0, begin + (n * seconds * 1_000) / messages - Date.now()));
  }
  await Promise.all(sending);
  const sent = Date.now();
  // That says how busy the machine is: what is asserted holds at any pace.
  desk.t.diagnostic(`sent in ${((sent - begin) / 1_000).toFixed(1)} s`);

  const counts = (tab) => tab.evaluate(() => window.harness.counts("chatMessageReceived"));
  for (const { tab } of desk.pages) {
    await eventually(
      "all clients of a page received all",
      async () => Object.values(await counts(tab)).every((count) => count >= messages),
      { within: 90_000, describe: async () => JSON.stringify(await counts(tab)) },
    );
  }
  desk.t.diagnostic(`all received ${((Date.now() - sent) / 1_000).toFixed(1)} s later`);
  await send("after the storm"); // comes behind all that might still be under way
  const ids = await writtenIds(thread.as(sender));
  for (const client of clients) {
    await client.receives(ids);
  }
  const disconnections = await Promise.all(clients.map((client) => client.count("realTimeNotificationDisconnected")));
  desk.t.diagnostic(`${disconnections.reduce((sum, n) => sum + n)} disconnections`);
});
