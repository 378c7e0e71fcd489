// The ChatComposite of @azure/communication-react, driven by mouse and keyboard as a user does.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after } from "node:test";

import { Browser } from "./support/browser.mjs";
import { out } from "./support/paths.mjs";
import { shared } from "./support/users.mjs";
import { eventually } from "./support/wait.mjs";

const screenshots = join(out, "screenshots");
await mkdir(screenshots, { recursive: true });

const browser = await Browser.open();
after(() => browser.close());

browser.scenario("two users of ChatComposite see each other live", async (desk) => {
  const [ada, ben, cleo] = await shared.users("Ada", "Ben", "Cleo");
  const thread = await shared.thread("First topic", ada, ada, ben);
  const [adas, bens] = await Promise.all([ada, ben].map((person) => show(desk, person, thread)));
  const both = (act) => Promise.all([adas, bens].map(act));

  await both((view) => view.sees(view.header("First topic")));

  await adas.types("hello Ben");
  await bens.sees(bens.tab.getByText("Ada is typing ..."));
  await bens.shoot("typing");
  await adas.sends();
  await both((view) => view.sees(view.message("hello Ben")));
  await adas.sees(adas.tab.getByLabel("Message seen by others"));
  await adas.shoot("seen");

  await bens.types("hi Ada");
  await adas.sees(adas.tab.getByText("Ben is typing ..."));
  await bens.sends();
  await both((view) => view.sees(view.message("hi Ada")));

  await adas.edits("hello Ben", "hello dear Ben");
  await both((view) => view.sees(view.message("hello dear Ben")));
  await both((view) => view.sees(view.message("hello dear Ben").getByText("Edited")));
  await bens.shoot("edited");

  await bens.deletes("hi Ada");
  await both((view) => view.seesNoMore(view.message("hi Ada")));
  await adas.shoot("deleted");

  await thread.as(ada).addParticipants({ participants: [cleo.participant] });
  await both((view) => view.sees(view.notice("Cleo joined the chat.")));
  await thread.as(cleo).sendMessage({ content: "hello from Cleo" }, { senderDisplayName: "Cleo" });
  await both((view) => view.sees(view.message("hello from Cleo")));
  await adas.shoot("joined");

  await thread.as(ben).updateTopic("Second topic");
  await both((view) => view.sees(view.header("Second topic")));
  await thread.as(ada).removeParticipant(cleo.user);
  await both((view) => view.sees(view.notice("Cleo left the chat.")));
  await both((view, i) => view.shoot(`end-${i + 1}`));
});

/** Opens a page that shows the thread to the person. */
async function show(desk, person, thread) {
  const page = await desk.page("composite");
  await page.tab.evaluate((args) => window.showChat(args), {
    endpoint: shared.endpoint,
    user: person.id,
    token: person.token,
    displayName: person.displayName,
    thread: thread.id,
  });
  const view = new View(page.tab, person.displayName);
  await view.sees(view.box);
  return view;
}

/** What one of the users sees and does. */
class View {
  constructor(tab, name) {
    this.tab = tab;
    this.name = name;
    this.box = tab.getByRole("textbox", { name: "Enter a message" });
  }

  header(topic) {
    return this.tab.getByText(topic, { exact: true }).first();
  }

  notice(text) {
    return this.tab.getByRole("status", { name: text });
  }

  message(text) {
    return this.tab.getByTestId("chat-composite-message").filter({ has: this.tab.getByText(text, { exact: true }) });
  }

  /** Waits until it is shown, once: for a moment there is what was sent beside what came back. */
  sees(what) {
    return eventually(`${this.name} sees ${what}`, async () => (await what.filter({ visible: true }).count()) === 1);
  }

  seesNoMore(what) {
    return eventually(`${this.name} sees no more ${what}`, async () => (await what.count()) === 0);
  }

  async types(text) {
    await this.box.click();
    await this.box.pressSequentially(text);
  }

  sends() {
    return this.box.press("Enter");
  }

  async edits(text, other) {
    await this.#choose(text, "Edit");
    const box = this.tab.getByRole("textbox").first();
    await box.fill(other);
    await box.press("Enter");
  }

  deletes(text) {
    return this.#choose(text, "Delete");
  }

  async #choose(text, action) {
    await this.message(text).hover();
    await this.message(text).getByRole("button", { name: "More Options" }).click();
    await this.tab.getByRole("menuitem", { name: action }).click();
  }

  shoot(moment) {
    return this.tab.screenshot({ path: join(screenshots, `${moment}-${this.name}.png`) });
  }
}
