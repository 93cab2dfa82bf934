/** Contracts as files, for everyone who is not TypeScript. */

import type { NodeSetup } from "../setup.ts";
import { configSchema } from "../setup.ts";
import { asyncApiDocument } from "./asyncapi.ts";
import { openApiDocument } from "./openapi.ts";

/** File name → content, ready to write; the same contracts give the same bytes. */
export function exportContracts(
  setup: NodeSetup,
  options: { readonly version: string; readonly title?: string },
): Readonly<Record<string, string>> {
  const contracts = setup.order;
  const text = (document: object): string => `${JSON.stringify(document, undefined, 2)}\n`;
  return {
    "openapi.json": text(openApiDocument(contracts, options)),
    "asyncapi.json": text(asyncApiDocument(contracts, options)),
    "config.schema.json": text(configSchema(setup)),
  };
}
