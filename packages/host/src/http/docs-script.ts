/**
 * Script of the page at `/docs`. Plain JavaScript for the browser, kept as text because the node
 * serves it from one string; everything from the contract goes in as text, never as markup.
 */

export const docsScript = `
"use strict";
const byId = (id) => document.getElementById(id);
const make = (tag, attributes, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
};
const json = (value) => JSON.stringify(value, null, 2);
const block = (title, value) => {
  const pre = make("pre", { tabindex: "0" });
  pre.textContent = json(value);
  return make("div", {}, make("h3", {}, title), pre);
};

async function call(method, path, body, accept) {
  const headers = { accept };
  if (body !== undefined) headers["content-type"] = "application/json";
  const token = byId("token").value.trim();
  if (token !== "") headers.authorization = "Bearer " + token;
  const started = performance.now();
  const response = await fetch(path, { method, headers, body });
  const text = await response.text();
  const took = (performance.now() - started).toFixed(1);
  let shown = text;
  try { shown = json(JSON.parse(text)); } catch { /* not JSON: shown as it came */ }
  return response.status + " " + response.statusText + "  (" + took + " ms)\\n\\n" + shown;
}

function tryOut(method, path, media) {
  const input = make("textarea", { "aria-label": "Request body", spellcheck: "false" });
  input.value = media === undefined ? "" : json(media.example ?? {});
  const button = make("button", { type: "button" }, "Call");
  const output = make("pre", { "aria-live": "polite" });
  output.hidden = true;
  button.addEventListener("click", async () => {
    button.disabled = true;
    output.hidden = false;
    output.textContent = "…";
    try {
      const body = media === undefined ? undefined : input.value;
      output.textContent = await call(method, path, body, "*/*");
    } catch (error) {
      output.textContent = "The node did not answer: " + error.message;
    }
    button.disabled = false;
  });
  const parts = media === undefined ? [] : [make("h3", {}, "Try it"), input];
  return make("div", {}, ...parts, button, output);
}

function operationOf(path, method, operation) {
  const media = operation.requestBody?.content["application/json"];
  const success = Object.entries(operation.responses).find(([status]) => status.startsWith("2"));
  const content = Object.values(success?.[1].content ?? {})[0];
  const errors = Object.entries(operation.responses).filter(([status]) => /^[45]/.test(status));
  const columns = make("div", { class: "columns" });
  if (media !== undefined) columns.append(block("Request", media.schema));
  if (content !== undefined) columns.append(block("Response " + success[0], content.schema));
  const list = make("ul", {});
  for (const [status, each] of errors) {
    list.append(make("li", {}, status + "  " + each.description));
  }
  const verb = method.toUpperCase();
  const body = make("div", { class: "body" });
  if (operation.description !== undefined) body.append(make("p", {}, operation.description));
  body.append(columns, make("h3", {}, "Errors"), list);
  if (!path.includes("{")) body.append(tryOut(verb, path, media));
  const summary = make("summary", {},
    make("span", { class: "method" }, verb),
    make("span", { class: "path" }, path),
    make("span", { class: "about" }, operation.summary),
    make("span", { class: "access" }, operation["x-access"] ?? ""));
  const details = make("details", {}, summary, body);
  details.dataset.text = (path + " " + operation.summary).toLowerCase();
  return details;
}

async function start() {
  const response = await fetch("/openapi.json");
  const document_ = await response.json();
  const main = byId("operations");
  let count = 0;
  for (const tag of document_.tags) {
    const about = make("p", { class: "about" }, tag.description);
    const section = make("section", {}, make("h2", {}, tag.name), about);
    for (const [path, methods] of Object.entries(document_.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        if (!operation.tags.includes(tag.name)) continue;
        section.append(operationOf(path, method, operation));
        count += 1;
      }
    }
    main.append(section);
  }
  byId("about").replaceChildren(count + " operations of " + document_.tags.length +
    " services. The same for machines: ", make("a", { href: "/openapi.json" }, "/openapi.json"));
}

byId("filter").addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\\s+/).filter((word) => word !== "");
  for (const details of document.querySelectorAll("details")) {
    details.hidden = !words.every((word) => details.dataset.text.includes(word));
  }
  for (const section of document.querySelectorAll("section")) {
    section.hidden = section.querySelector("details:not([hidden])") === null;
  }
});
start().catch((error) => {
  byId("about").textContent = "The contract could not be read: " + error.message;
});
`;
