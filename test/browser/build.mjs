// Bundles the pages into out/bundles: the harness once for each version of the chat SDK, and the composite.
import { build } from "esbuild";

import { bundles, sdkVersions } from "./support/paths.mjs";

const common = {
  bundle: true,
  platform: "browser",
  format: "iife",
  target: "chrome120",
  outdir: bundles,
  define: { global: "globalThis", "process.env.NODE_ENV": '"production"' },
  logLevel: "warning",
  logOverride: { "empty-import-meta": "silent" },
};

const harnesses = Object.entries(sdkVersions).map(([version, name]) =>
  build({
    ...common,
    entryPoints: [{ in: "pages/harness.mjs", out: `chat-${version}` }],
    alias: { "chat-sdk": name },
  }),
);
const composite = build({
  ...common,
  entryPoints: [{ in: "pages/composite.jsx", out: "composite" }],
  jsx: "automatic",
  minify: true,
});
await Promise.all([...harnesses, composite]);
