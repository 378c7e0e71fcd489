import assert from "node:assert/strict";
import { after } from "node:test";

import { Browser } from "./support/browser.mjs";
import { shared, shortLived } from "./support/users.mjs";

const lifetime = 6; // seconds of a token that is to expire

const browser = await Browser.open();
after(() => browser.close());

/**
 * Ada and Ben in a thread, and Ben's client in a page, which has the given token and may ask for others. The client must not
 * miss what is sent while it waits for a token.
 */
async function begin(desk, { kind, token = (ben) => ben.token }) {
  const [ada, ben] = await shared.users("Ada", "Ben");
  const thread = await shared.thread("Tokens", ada, ben);
  const send = async (content) => (await thread.as(ada).sendMessage({ content })).id;
  const tokens = { asked: 0 };
  const freshToken = async () => {
    tokens.asked++;
    return tokens.next;
  };
  const page = await desk.page("chat-1.6.0", { freshToken });
  tokens.next = await token(ben);
  const client = await page.listener(ben, shared.endpoint, { kind, token: tokens.next });
  return { ben, page, client, send, tokens };
}

const expiring = (ben) => shortLived(ben.token, lifetime);

// Such tokens are signed here, by the server's own key. Where there are several nodes, that is in their database.
if (process.env.CHATD_CONFIG_DIR) {
  browser.scenario("a token expires and the page has another", async (desk) => {
    const { ben, page, client, send, tokens } = await begin(desk, { kind: "refresher", token: expiring });
    const ids = [await send("before")];
    await client.receives(ids);
    tokens.next = shared.freshToken(ben);

    await client.disconnected(1);
    ids.push(await send("while it connects again"));
    await client.connected(2);
    ids.push(await send("after"));
    await client.receives(ids);
    assert.equal(tokens.asked, 1, "tokens that the page asked for");
    assert.equal(page.links.length, 2);
  });

  browser.scenario("a token expires and the page has no other", async (desk) => {
    const { client, page, send } = await begin(desk, { kind: "fixed", token: expiring });
    const ids = [await send("before")];
    await client.receives(ids);

    await client.disconnected(1);
    await send("after");
    await page.givesUp();
    await client.receives(ids);
    assert.equal(await client.count("realTimeNotificationConnected"), 1);
  });
}

browser.scenario("tokens are revoked and the page has another", async (desk) => {
  const { ben, client, send, tokens } = await begin(desk, { kind: "custom" });
  const ids = [await send("before")];
  await client.receives(ids);

  const replaced = withResolvers();
  tokens.next = replaced.promise;
  await shared.revoke(ben);
  await client.disconnected(1, { within: 2_000 });
  ids.push(await send("while it has no token"));
  replaced.resolve(shared.freshToken(ben));
  await client.connected(2);
  ids.push(await send("after"));
  await client.receives(ids);
});

browser.scenario("tokens are revoked and the page has no other", async (desk) => {
  const { ben, client, page, send } = await begin(desk, { kind: "fixed" });
  const ids = [await send("before")];
  await client.receives(ids);

  await shared.revoke(ben);
  await client.disconnected(1, { within: 2_000 });
  await send("after");
  await page.givesUp();
  assert.deepEqual(await client.messageIds(), ids);
  assert.equal(await client.count("realTimeNotificationConnected"), 1);
});

browser.scenario("a user is deleted", async (desk) => {
  const { ben, client, page, send } = await begin(desk, { kind: "fixed" });
  await client.receives([await send("before")]); // registered: the SDK counts a refused registration among those it bears
  await shared.identities.deleteUser(ben.user);
  await client.disconnected(1, { within: 2_000 });
  await page.givesUp();
  assert.equal(await client.count("realTimeNotificationConnected"), 1);
});

/** A promise and what settles it. */
function withResolvers() {
  const result = {};
  result.promise = new Promise((resolve) => {
    result.resolve = resolve;
  });
  return result;
}
