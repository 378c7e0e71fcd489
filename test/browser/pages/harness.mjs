// What runs in the page: the unmodified SDK, and a recorder of every event that it emits. The tests speak to it through
// window.harness; one page holds as many clients as they want.
import { ChatClient } from "chat-sdk";
import { AzureCommunicationTokenCredential } from "@azure/communication-common";

const connectionEvents = ["realTimeNotificationConnected", "realTimeNotificationDisconnected"];
const chatEvents = [
  "chatMessageReceived",
  "chatMessageEdited",
  "chatMessageDeleted",
  "typingIndicatorReceived",
  "readReceiptReceived",
  "chatThreadCreated",
  "chatThreadPropertiesUpdated",
  "chatThreadDeleted",
  "participantsAdded",
  "participantsRemoved",
];

/** One ChatClient and what it received. */
class Listener {
  events = [];

  constructor(endpoint, credential) {
    this.client = new ChatClient(endpoint, credential);
  }

  async start() {
    // The SDK may be connected before its start() resolves, and forgets all listeners in stop().
    if (this.client.on.toString().includes("realTimeNotificationConnected")) { // not in chat 1.0.0
      connectionEvents.forEach((name) => this.record(name));
    }
    await this.client.startRealtimeNotifications();
    chatEvents.forEach((name) => this.record(name));
  }

  record(name) {
    this.client.on(name, (event) => this.events.push({ name, event }));
  }
}

/**
 * A credential of the SDK. "fixed" has one token. "refresher" asks the test for another when its token has expired.
 * "custom" is one that an application wrote by itself and that always has the newest token.
 */
function credentialFor({ kind = "fixed", user, token }) {
  const ask = () => window.freshToken(user);
  switch (kind) {
    case "fixed":
      return new AzureCommunicationTokenCredential(token);
    case "refresher":
      return new AzureCommunicationTokenCredential({ tokenRefresher: ask, token });
    case "custom":
      return {
        getToken: async () => ({ token: await ask(), expiresOnTimestamp: Date.now() + 3_600_000 }),
        dispose() {},
      };
    default:
      throw new Error(`no credential ${kind}`);
  }
}

const listeners = new Map();

function listener(name) {
  const found = listeners.get(name);
  if (!found) {
    throw new Error(`no client ${name}`);
  }
  return found;
}

/** What a test can do with a value that the SDK returned. */
function plain(value) {
  return JSON.parse(JSON.stringify(value ?? null));
}

window.harness = {
  create(name, endpoint, credential) {
    listeners.set(name, new Listener(endpoint, credentialFor(credential)));
  },
  start: (name) => listener(name).start(),
  /** What the quickstart of the SDK does: it sends a message as soon as it may. Returns the message's id. */
  async startAndSend(name, thread, content) {
    await listener(name).start();
    return (await listener(name).client.getChatThreadClient(thread).sendMessage({ content })).id;
  },
  stop: (name) => listener(name).client.stopRealtimeNotifications(),

  /** All events, in order. */
  events: (name) => listener(name).events,
  /** How many events of the kind there are. */
  count: (name, kind) => listener(name).events.filter((event) => event.name === kind).length,
  /** The ids of the messages received, in order of arrival. */
  messageIds: (name) =>
    listener(name).events.flatMap(({ name: kind, event }) => (kind === "chatMessageReceived" ? [event.id] : [])),
  /** The counts of many clients at once. */
  counts: (kind) => Object.fromEntries([...listeners.keys()].map((name) => [name, window.harness.count(name, kind)])),

  /** Everything, for a failed test. */
  dump: () => Object.fromEntries([...listeners].map(([name, { events }]) => [name, events])),

  /** Calls a method of the ChatClient. */
  async call(name, method, ...args) {
    return plain(await listener(name).client[method](...args));
  },
  /** Calls a method of the ChatThreadClient. */
  async callThread(name, thread, method, ...args) {
    return plain(await listener(name).client.getChatThreadClient(thread)[method](...args));
  },
};
