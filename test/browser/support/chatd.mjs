// A hosted chatd with a store in a file, which a test may kill and start again.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { eventually } from "./wait.mjs";

export class Chatd {
  log = "";

  /** Starts a server with an empty store. Its certificate is of the CA that the tests' browsers trust. */
  static async open() {
    const chatd = new Chatd();
    chatd.folder = await mkdtemp(join(tmpdir(), "chatd-browser-"));
    chatd.port = await freePort();
    chatd.key = randomBytes(32).toString("base64");
    chatd.resource = randomUUID();
    process.once("exit", () => chatd.process?.kill("SIGKILL"));
    await chatd.start();
    return chatd;
  }

  get endpoint() {
    return `https://127.0.0.1:${this.port}`;
  }

  get connectionString() {
    return `endpoint=${this.endpoint}/;accesskey=${this.key}`;
  }

  /** Starts the process and waits until it is ready. */
  async start() {
    const store = `sqlite:${join(this.folder, "chatd.db")}`;
    const where = ["--listen", `127.0.0.1:${this.port}`, "--config-dir", process.env.CHATD_CONFIG_DIR, "--store", store];
    const who = ["--access-key", this.key, "--resource-id", this.resource];
    this.process = spawn(process.env.CHATD_PROGRAM, ["serve", ...where, ...who], { stdio: ["ignore", "ignore", "pipe"] });
    const begin = this.log.length;
    this.process.stderr.setEncoding("utf8").on("data", (text) => (this.log += text));
    await eventually(
      "chatd is ready",
      () => {
        assert.equal(this.process.exitCode, null, `chatd ended:\n${this.log}`);
        return /\bready\b/.test(this.log.slice(begin));
      },
      { describe: () => this.log },
    );
  }

  /** Ends the process at once, as a power cut would. */
  async kill() {
    await this.#end("SIGKILL");
  }

  async close() {
    await this.#end("SIGTERM");
    await rm(this.folder, { recursive: true, force: true });
  }

  async #end(signal) {
    const exited = once(this.process, "exit");
    this.process.kill(signal);
    await exited;
  }
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
