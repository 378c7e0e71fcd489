// Versions that know only the service's own hosts: chatd serves them where these names resolve to it.
import { after } from "node:test";

import { Browser } from "./support/browser.mjs";
import { converse, connectUsers } from "./support/conversation.mjs";
import { shared } from "./support/users.mjs";

const address = new URL(shared.endpoint).host;
const names = process.env.CHATD_HOSTS.split(",");

const browser = await Browser.open({ hosts: Object.fromEntries(names.map((name) => [name, address])) });
after(() => browser.close());

for (const version of ["1.5.2", "1.0.0"]) {
  browser.scenario(`all ten events, chat ${version} by the service's host names`, async (desk) => {
    await converse(await connectUsers(desk, version));
  });
}
