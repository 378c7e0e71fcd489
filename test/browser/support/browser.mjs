// A fresh Chromium that trusts the development CA as a user's browser would, and knows no host but this one.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { chromium } from "playwright-core";

import { Page } from "./page.mjs";
import { out } from "./paths.mjs";
import { openSite } from "./site.mjs";
import { UnwatchedTab } from "./unwatched.mjs";

const run = promisify(execFile);

const timeout = 180_000; // of a test, far more than it takes on a busy machine

const flags = [
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** One Chromium with an empty profile, and the site whose pages it opens. */
export class Browser {
  /** Hosts are names to resolve as the given HOST:PORT; all others but localhost do not exist. */
  static async open({ hosts = {} } = {}) {
    const browser = new Browser();
    browser.home = await mkdtemp(join(tmpdir(), "chatd-browser-"));
    await trust(process.env.CHATD_CA, browser.home);
    const rules = Object.entries(hosts).map(([host, address]) => `MAP ${host} ${address}`);
    rules.push("MAP * ~NOTFOUND", "EXCLUDE localhost", "EXCLUDE 127.0.0.1");
    browser.chromium = await chromium.launch({
      executablePath: process.env.CHATD_CHROMIUM,
      headless: true,
      chromiumSandbox: false, // CI is root
      args: [...flags, `--host-resolver-rules=${rules.join(", ")}`],
      env: { ...process.env, HOME: browser.home, XDG_CONFIG_HOME: browser.home, XDG_CACHE_HOME: browser.home },
    });
    browser.site = await openSite();
    return browser;
  }

  async close() {
    await this.chromium.close();
    this.site.close();
    await rm(this.home, { recursive: true, force: true, maxRetries: 10 });
  }

  /** A test with windows of this browser. What they saw is kept in out/failed when it fails. */
  scenario(name, fn) {
    test(name, { timeout }, async (t) => {
      const desk = new Desk(this, t);
      try {
        await fn(desk);
        desk.pages.forEach((page) => page.assertSound());
      } catch (error) {
        await desk.keepEvidence(name);
        throw error;
      } finally {
        await desk.close();
      }
    });
  }
}

/** The windows of one test. Each window has its own storage and network, as those of different users do. */
class Desk {
  windows = [];
  pages = [];
  logs = {}; // functions that return what to keep, by name

  constructor(browser, t) {
    this.browser = browser;
    this.t = t;
  }

  async window() {
    const context = await this.browser.chromium.newContext();
    this.windows.push(context);
    return context;
  }

  /**
   * Opens a page of the bundle in the window, or in a new one. freshToken answers when the page asks for a token, and prepare
   * runs in the page before all else.
   */
  async page(bundle, { window, freshToken, prepare } = {}) {
    const tab = await (window ?? (await this.window())).newPage();
    if (prepare) {
      await tab.addInitScript(prepare);
    }
    await tab.exposeFunction("freshToken", async (user) => freshToken(user));
    return this.#open(tab, bundle);
  }

  /** Opens a page of the bundle in a new window, and watches nothing but its errors. */
  async unwatchedPage(bundle) {
    const tab = await UnwatchedTab.open(await this.browser.chromium.newBrowserCDPSession());
    this.windows.push(tab);
    return this.#open(tab, bundle);
  }

  async #open(tab, bundle) {
    const page = new Page(tab);
    this.pages.push(page);
    await tab.goto(`${this.browser.site.origin}/${bundle}`);
    return page;
  }

  async keepEvidence(name) {
    const folder = join(out, "failed", name.replace(/\W+/g, "-"));
    await mkdir(folder, { recursive: true });
    await Promise.all(
      Object.entries(this.logs).map(([log, text]) => writeFile(join(folder, `${log}.log`), text())),
    );
    await Promise.all(
      this.pages.map(async (page, i) => {
        await writeFile(join(folder, `${i}.log`), await page.evidence());
        await page.tab.screenshot({ path: join(folder, `${i}.png`), timeout: 5_000 }).catch(() => {});
      }),
    );
    this.t.diagnostic(`what the pages saw is in ${folder}`);
  }

  async close() {
    await Promise.all(this.windows.map((window) => window.close()));
  }
}

/** Puts the CA where Chromium on Linux looks for those of its user. */
async function trust(ca, home) {
  const folder = join(home, ".pki", "nssdb");
  await mkdir(folder, { recursive: true });
  const certutil = (...args) => run("certutil", ["-d", `sql:${folder}`, ...args], { env: { ...process.env, HOME: home } });
  await certutil("-N", "--empty-password");
  await certutil("-A", "-t", "C,,", "-n", "chatd", "-i", ca);
}
