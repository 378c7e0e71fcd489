// A tab whose network is not recorded. Recording costs several times what the page itself needs, which matters only when very
// much happens at once.
import assert from "node:assert/strict";

import { eventually } from "./wait.mjs";

const timeout = 60_000; // of one call

/** Does what Page wants of a tab, as far as it can be had by asking. */
export class UnwatchedTab {
  #session;
  #id;
  #context;
  #calls = 0;
  #waiting = new Map(); // what ends the calls that are not answered, by their id
  #onError = () => {};

  /** Opens an empty tab in a new window. The session is one with the browser as a whole. */
  static async open(session) {
    const tab = new UnwatchedTab();
    tab.#session = session;
    session.on("Target.receivedMessageFromTarget", ({ sessionId, message }) => {
      if (sessionId === tab.#id) {
        tab.#received(JSON.parse(message));
      }
    });
    const { browserContextId } = await session.send("Target.createBrowserContext");
    tab.#context = browserContextId;
    const { targetId } = await session.send("Target.createTarget", { url: "about:blank", browserContextId });
    tab.#id = (await session.send("Target.attachToTarget", { targetId, flatten: false })).sessionId;
    await tab.#call("Runtime.enable");
    return tab;
  }

  on(event, handler) {
    if (event === "pageerror") {
      this.#onError = handler;
    }
  }

  async goto(url) {
    await this.#call("Page.navigate", { url });
    await eventually(`${url} is loaded`, () => this.evaluate(() => Boolean(window.harness)));
  }

  /** Runs a function in the page, with an argument and a result that JSON can carry. */
  async evaluate(fn, arg) {
    const expression = `(${fn})(${JSON.stringify(arg) ?? ""})`;
    const { result, exceptionDetails } = await this.#call("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    assert.ok(!exceptionDetails, exceptionDetails && describe(exceptionDetails));
    return result.value;
  }

  async screenshot() {}

  close() {
    return this.#session.send("Target.disposeBrowserContext", { browserContextId: this.#context });
  }

  #call(method, params) {
    const id = ++this.#calls;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer to ${method}`)), timeout);
      this.#waiting.set(id, ({ result, error }) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        error ? reject(new Error(`${method}: ${error.message}`)) : resolve(result);
      });
      const message = JSON.stringify({ id, method, params });
      this.#session.send("Target.sendMessageToTarget", { sessionId: this.#id, message }).catch(reject);
    });
  }

  #received({ id, method, params, ...answer }) {
    this.#waiting.get(id)?.(answer);
    if (method === "Runtime.exceptionThrown") {
      this.#onError(new Error(describe(params.exceptionDetails)));
    }
  }
}

function describe({ text, exception }) {
  return exception?.description ?? text;
}
