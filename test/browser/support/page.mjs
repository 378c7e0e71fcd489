// A page of the harness, and what crossed its network.
import assert from "node:assert/strict";

import { Link } from "./link.mjs";
import { eventually, never } from "./wait.mjs";

const kept = 5_000; // lines of evidence, at least
const patience = 3; // refusals in a row, after a connection that was ended for its token, before the SDK gives up

export class Page {
  lines = [];
  links = []; // all connections, the oldest first
  errors = []; // that were not caught
  refusals = 0; // of an allocation, for want of a token
  registrations = 0; // that succeeded
  polls = 0; // in place of a websocket
  startTime = Date.now();

  constructor(tab) {
    this.tab = tab;
    tab.on("console", (message) => this.note(`console ${message.type()}`, message.text()));
    tab.on("pageerror", (error) => {
      this.errors.push(error.message);
      this.note("page error", error.stack);
    });
    tab.on("response", (response) => this.#count(response));
    tab.on("requestfailed", (request) => {
      this.note("http", `${request.method()} ${request.url()} ${request.failure()?.errorText}`);
    });
    tab.on("websocket", (socket) => this.#watch(socket));
  }

  #count(response) {
    const { pathname } = new URL(response.url());
    this.note("http", `${response.request().method()} ${response.url()} ${response.status()}`);
    this.refusals += response.status() === 401 && pathname.endsWith("/v4/a") ? 1 : 0;
    this.polls += response.ok() && pathname.startsWith("/socket.io/1/xhr-polling/") ? 1 : 0;
    this.registrations += response.ok() && /\/v3\/registrations$/i.test(pathname) ? 1 : 0;
  }

  #watch(socket) {
    const link = new Link();
    const id = `socket ${this.links.push(link)}`;
    this.note(id, `open ${socket.url()}`);
    socket.on("framereceived", ({ payload }) => {
      this.note(id, `< ${payload}`);
      link.received(payload);
    });
    socket.on("framesent", ({ payload }) => {
      this.note(id, `> ${payload}`);
      link.sent(payload);
    });
    socket.on("close", () => {
      this.note(id, "close");
      link.closed();
    });
  }

  note(source, text) {
    this.lines.push(`${((Date.now() - this.startTime) / 1000).toFixed(3)} ${source}: ${text}`);
    if (this.lines.length > 2 * kept) {
      this.lines.splice(0, kept);
    }
  }

  /** Asserts that the page ran without errors and that the SDK understood all that the server sent. */
  assertSound() {
    assert.deepEqual(this.errors, [], "errors in the page");
    assert.deepEqual(this.links.flatMap(({ rejected }) => rejected), [], "what the SDK did not take");
  }

  /** The network and console of the page, and the events of its clients. */
  async evidence() {
    const events = await this.tab
      .evaluate(() => JSON.stringify(window.harness?.dump?.() ?? {}, null, 1))
      .catch((error) => String(error));
    return [...this.lines, "", "events:", events, ""].join("\n");
  }

  /** Makes a client of the person in the page; see credentialFor in pages/harness.mjs for credentials. */
  async client(person, endpoint, { name = person.displayName, ...credential } = {}) {
    const client = new Client(this, name);
    await client.harness("create", endpoint, { user: person.id, token: person.token, ...credential });
    return client;
  }

  /** A client that is connected. */
  async listener(person, endpoint, options) {
    const client = await this.client(person, endpoint, options);
    await client.start();
    return client;
  }

  /** Waits until nothing is under way on any connection. */
  quiet() {
    return eventually("the connections are quiet", () => this.links.every((link) => link.isQuiet));
  }

  /** Waits until no connection is open. */
  gone() {
    return eventually("the connection is closed", () => this.links.every(({ isOpen }) => !isOpen));
  }

  /** Waits until the SDK has been refused as often as it takes to give up, and asserts that it did. */
  async givesUp() {
    await eventually("the SDK is refused", () => this.refusals >= patience, { within: 60_000 });
    await never("the SDK tries on", () => this.refusals > patience || this.links.some(({ isOpen }) => isOpen));
  }

  close() {
    return this.tab.close();
  }
}

/** A ChatClient in a page. */
export class Client {
  constructor(page, name) {
    this.page = page;
    this.name = name;
  }

  /** Calls a method of window.harness for this client. */
  harness(method, ...args) {
    return this.page.tab.evaluate(([method, args]) => window.harness[method](...args), [method, [this.name, ...args]]);
  }

  /** Starts real-time notifications and waits until they are connected once more than before. */
  async start() {
    const before = await this.count("realTimeNotificationConnected");
    await this.harness("start");
    await this.connected(before + 1);
  }

  stop() {
    return this.harness("stop");
  }

  call(method, ...args) {
    return this.harness("call", method, ...args);
  }

  callThread(thread, method, ...args) {
    return this.harness("callThread", thread, method, ...args);
  }

  /** All events so far, or those of one kind. */
  async events(kind) {
    const events = await this.harness("events");
    return kind ? events.flatMap(({ name, event }) => (name === kind ? [event] : [])) : events;
  }

  async kinds() {
    return (await this.events()).map(({ name }) => name);
  }

  count(kind) {
    return this.harness("count", kind);
  }

  messageIds() {
    return this.harness("messageIds");
  }

  /** Waits until as many events of the kind came, and returns the last of them. More than these are an error. */
  async event(kind, n = 1, options) {
    await this.#waitForCount(kind, n, options);
    const events = await this.events(kind);
    assert.equal(events.length, n, `${this.name} received ${kind} too often`);
    return events.at(-1);
  }

  /** Waits until the SDK reported so many connections. */
  connected(n = 1, options) {
    return this.#waitForCount("realTimeNotificationConnected", n, options);
  }

  /** Waits until the SDK reported so many ends of connections. */
  disconnected(n = 1, options) {
    return this.#waitForCount("realTimeNotificationDisconnected", n, options);
  }

  #waitForCount(kind, n, options) {
    return eventually(`${this.name} received ${n} ${kind}`, async () => (await this.count(kind)) >= n, {
      describe: async () => `received ${(await this.kinds()).join(", ") || "nothing"}`,
      ...options,
    });
  }

  /** Waits until all the messages arrived, and asserts that they came in this order, each once, and no others. */
  async receives(ids, options) {
    const missing = async () => {
      const got = new Set(await this.messageIds());
      return ids.filter((id) => !got.has(id));
    };
    await eventually(`${this.name} received ${ids.length} messages`, async () => (await missing()).length === 0, {
      describe: async () => `${(await missing()).length} are missing: ${(await missing()).slice(0, 10)}`,
      ...options,
    });
    await this.page.quiet();
    const got = await this.messageIds();
    assert.deepEqual(got.filter((id, i) => got.indexOf(id) !== i), [], `${this.name} received messages more than once`);
    assert.deepEqual(got, ids, `${this.name} received messages in another order, or others`);
  }
}
