// Where things are, and which versions of the SDK there are pages for.
import { fileURLToPath } from "node:url";

const here = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** Build output that git ignores. */
export const out = here("out");
export const bundles = here("out/bundles");

/** The packages of the SDK's versions as package.json names them. */
export const sdkVersions = {
  "1.0.0": "chat-1.0.0",
  "1.5.2": "chat-1.5.2",
  "1.5.4": "chat-1.5.4",
  "1.6.0-beta.7": "chat-1.6.0-beta.7",
  "1.6.0": "@azure/communication-chat",
};
