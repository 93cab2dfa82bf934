/**
 * The page at `/docs`: every operation with its schema, and a form to try it. One file, no network:
 * it reads `/openapi.json` of its own node and nothing else, which its content policy enforces.
 */

import { createHash } from "node:crypto";
import { docsScript } from "./docs-script.ts";
import { docsStyle } from "./docs-style.ts";
import type { PageAnswer } from "./server.ts";

let page: PageAnswer | undefined;

/** The same for every node, so it is made once. */
export function docsPage(): PageAnswer {
  page ??= {
    status: 200,
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": [
        "default-src 'none'",
        "connect-src 'self'",
        `script-src '${hashOf(docsScript)}'`,
        `style-src '${hashOf(docsStyle)}'`,
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
      ].join("; "),
      "referrer-policy": "no-referrer",
      "x-content-type-options": "nosniff",
    },
    body: html(),
  };
  return page;
}

function html(): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Banyan node: operations</title>
<style>${docsStyle}</style>
</head>
<body>
<header>
  <h1>Banyan node</h1>
  <p id="about">Reading the node's contract…</p>
  <input id="filter" type="search" placeholder="Filter operations" aria-label="Filter operations">
  <input id="token" type="password" placeholder="Admin token, for internal operations" 
    aria-label="Admin token" autocomplete="off">
</header>
<main id="operations"></main>
<noscript>This page needs JavaScript. The same is at
  <a href="/openapi.json">/openapi.json</a>.</noscript>
<script>${docsScript}</script>
</body>
</html>
`;
}

function hashOf(text: string): string {
  return `sha256-${createHash("sha256").update(text).digest("base64")}`;
}
