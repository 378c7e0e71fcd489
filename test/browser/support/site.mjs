// The web site that the pages come from: another origin than chatd's.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { bundles } from "./paths.mjs";

const html = (bundle) => `<!doctype html>
<meta charset="utf-8">
<title>${bundle}</title>
<link rel="icon" href="data:,">
<style>body { margin: 0 }</style>
<div id="root"></div>
<script src="/${bundle}.js"></script>
`;

/** Serves a page /BUNDLE for each bundle; close ends it. */
export async function openSite() {
  const server = createServer(async (request, response) => {
    const [, bundle, script] = /^\/([\w.-]+?)(\.js)?$/.exec(request.url) ?? [];
    try {
      const body = script ? await readFile(join(bundles, `${bundle}.js`)) : html(bundle);
      response.setHeader("Content-Type", script ? "text/javascript" : "text/html");
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://localhost:${server.address().port}`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}
