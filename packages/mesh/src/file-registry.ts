/** Nodes by a file: `{ "nodes": [{ "host": "10.0.0.1", "port": 7000 }] }`. */

import { readFile } from "node:fs/promises";
import { t } from "@banyan/kernel";
import { compileSchema } from "@banyan/kernel/internal";
import { meshErrors } from "./errors.ts";
import { seedsMax } from "./read-only-registry.ts";
import type { ReadOnlyRegistry, SeedList } from "./read-only-registry.ts";

export interface FileRegistryOptions {
  /** A file of JSON. It is read anew at each look, so an edit counts within a second. */
  readonly path: string;
}

const name = t.String({ minLength: 1, maxLength: 255 });

const schema = compileSchema(
  t.Object({
    nodes: t.Array(
      t.Object({
        host: name,
        port: t.Integer({ minimum: 1, maximum: 65_535 }),
        app: t.Optional(name),
      }),
      { maxItems: seedsMax },
    ),
    mapping: t.Optional(
      t.Object({
        epoch: t.String({ maxLength: 255 }),
        version: t.Integer({ minimum: 0 }),
        apps: t.Record(t.String(), name),
      }),
    ),
  }),
);

/** A registry in a file that somebody else writes. `read` throws MESH_REGISTRY_INVALID. */
export function fileRegistry({ path }: FileRegistryOptions): ReadOnlyRegistry {
  let known: { readonly text: string; readonly list: SeedList } | undefined;
  return {
    readOnly: true,
    async read() {
      const text = await textOf(path);
      // The content decides: a file's time may stand still between two writes.
      if (known?.text !== text) known = { text, list: parse(path, text) };
      return known.list;
    },
  };
}

async function textOf(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw invalid(path, `cannot be read: ${why}`, cause);
  }
}

function parse(path: string, text: string): SeedList {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    // It names the line and the column, or that the end is missing.
    const why = cause instanceof Error ? cause.message : String(cause);
    throw invalid(path, `is no JSON: ${why}`, cause);
  }
  const issues: Parameters<typeof schema.parse>[2] = [];
  const list = schema.parse(value, "strict", issues);
  if (list === undefined) {
    const places = issues.map(({ pointer, expected }) => `at "${pointer}" it needs ${expected}`);
    throw invalid(path, `is no list of nodes: ${places.join("; ")}`, undefined);
  }
  return { seeds: list.nodes, mapping: list.mapping };
}

function invalid(path: string, why: string, cause: unknown): Error {
  return meshErrors.MESH_REGISTRY_INVALID(
    `The file of nodes ${path} ${why}. It holds { "nodes": [{ "host": "10.0.0.1", "port": 7000 }] }.`,
    { cause },
  );
}
